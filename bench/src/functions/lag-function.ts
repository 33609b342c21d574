import { defineFunction, event } from "tidings";
import { noteLag, type Timed } from "./lag-handler.ts";

/** What a file of the measured folder exports: a function of the events of one type. */
export const lagFunction = ({ type }: { readonly type: string }) =>
  defineFunction({
    on: event<Timed>({ "detail-type": [type] }),
    handler({ data }, { settings }) {
      noteLag(String(settings["file"]), data);
    },
  });

import { styleText } from "node:util";
import { pino } from "pino";
import type { Log, LogFields } from "#ports/log.ts";

/** The log on standard error, in the form asked for. */
export function systemLog(form: "json" | "pretty" | "silent", write: (line: string) => void): Log {
  switch (form) {
    case "silent":
      return { info() {}, warn() {}, error() {} };
    case "json": {
      const json = pino({ base: null }, { write });
      return {
        info: (sentence, fields) => json.info(fields ?? {}, sentence),
        warn: (sentence, fields) => json.warn(fields ?? {}, sentence),
        error: (sentence, fields) => json.error(fields ?? {}, sentence),
      };
    }
    case "pretty": {
      const line =
        (mark: string) =>
        (sentence: string, fields: LogFields = {}) => {
          const rest = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
          write(`${mark} ${sentence}${rest.length === 0 ? "" : ` ${styleText("dim", rest.join(" "))}`}\n`);
        };
      return { info: line(" "), warn: line(styleText("yellow", "!")), error: line(styleText("red", "✗")) };
    }
  }
}

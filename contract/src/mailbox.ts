import { type Static, Type } from "./schema.ts";
import { EpochMs, JsonMap, Paging } from "./shared.ts";

/** A line of the mailbox. */
export const CaughtItem = Type.Object(
  {
    id: Type.String(),
    messageId: Type.String(),
    channel: Type.String(),
    caught: EpochMs,
    to: Type.String(),
    title: Type.String({ description: "Subject of a mail, title or first words of anything else" }),
  },
  { title: "CaughtItem" },
);
export type CaughtItem = Static<typeof CaughtItem>;

export const CaughtPage = Type.Object({ paging: Paging, results: Type.Array(CaughtItem) }, { title: "CaughtPage" });

export const CaughtMessage = Type.Object(
  { ...CaughtItem.properties, traceparent: Type.Union([Type.String(), Type.Null()]), content: JsonMap },
  { title: "CaughtMessage", description: "What would have been sent, word for word" },
);
export type CaughtMessage = Static<typeof CaughtMessage>;

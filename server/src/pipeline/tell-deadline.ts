import { type Deadline, LATE_POLICIES, type LatePolicy, spanText } from "#domain/deadline.ts";
import { isJsonObject, type JsonObject } from "#domain/json.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { WhyDeadline } from "#pipeline/message-desk.ts";

type Step = { readonly type: string; readonly data: JsonObject };

/** A message's deadline and what came of it, as its events tell; null without one, and from re-driving on. */
export function deadlineTold(steps: readonly Step[]): WhyDeadline | null {
  const given = deadlineIn(steps.findLast(({ data }) => deadlineIn(data) !== null)?.data);
  if (given === null || steps.some(({ type }) => type === "message.redriven")) return null;
  const moved = steps.findLast(({ data }) => typeof data["deadlineMs"] === "number")?.data["deadlineMs"];
  const decided = steps.findLast(({ data }) => typeof data["byMs"] === "number")?.data;
  const byMs = decided?.["byMs"];
  const rule = decided?.["rule"];
  return {
    atMs: typeof moved === "number" ? moved : given.atMs,
    late: given.late,
    byMs: typeof byMs === "number" ? byMs : null,
    rule: typeof rule === "string" ? rule : null,
  };
}

/** What belongs behind the answer to "did it arrive?"; empty when the answer says it already, or there is no deadline. */
export function deadlineSentence(told: WhyDeadline | null, record: MessageRecord): string {
  if (told === null) return "";
  const time = new Date(told.atMs).toISOString();
  switch (record.status) {
    case "ENQUEUED":
    case "ROUTED":
    case "DELAYED":
      return told.rule === null ? ` Its deadline is ${time}; then ${THEN[told.late]}.` : ` It is late (${told.rule}).`;
    case "SENT":
    case "DELIVERED":
    case "OPENED":
    case "CLICKED":
      if (told.rule === null) return ` In time: its deadline was ${time}.`;
      return (record.sentMs ?? told.atMs) < told.atMs
        ? ` Other ways were given up (${told.rule}).`
        : ` It was late (${told.rule}).`;
    default:
      return "";
  }
}

/** How the event of a message's birth says it; empty without a deadline. */
export function deadlineOfBirth(data: JsonObject): string {
  const given = deadlineIn(data);
  if (given === null) return "";
  const time =
    given.afterOpeningMs === undefined
      ? new Date(given.atMs).toISOString()
      : `${spanText(given.afterOpeningMs)} after the recipient's hours begin`;
  return `, with a deadline: ${time}; then ${THEN[given.late]}`;
}

const THEN: Readonly<Record<LatePolicy, string>> = {
  drop: "it is dropped",
  send: "it is sent all the same",
  collapse: "only the newest of its kind is sent",
};

/** What `bornEvents` wrote. */
function deadlineIn(data: JsonObject | undefined): Pick<Deadline, "atMs" | "afterOpeningMs" | "late"> | null {
  const deadline = data?.["deadline"];
  if (!isJsonObject(deadline)) return null;
  const { atMs, afterOpeningMs } = deadline;
  const late = LATE_POLICIES.find((policy) => policy === deadline["late"]);
  if (typeof atMs !== "number" || late === undefined) return null;
  return { atMs, late, ...(typeof afterOpeningMs === "number" ? { afterOpeningMs } : {}) };
}

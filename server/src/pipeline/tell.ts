import type { RecordedEvent } from "#domain/event.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { isSettled, type MessageRecord } from "#domain/message.ts";
import type { Why } from "#pipeline/message-desk.ts";
import { heldBackBecause, type Restored } from "#pipeline/restored.ts";
import { deadlineOfBirth, deadlineSentence, deadlineTold } from "#pipeline/tell-deadline.ts";
import type { JobState } from "#ports/store.ts";

/**
 * Tells a message's story: what became of it, by which rule, and each step in a sentence.
 * @param restored asked only when its job is parked.
 */
export function tell(
  record: MessageRecord,
  events: readonly RecordedEvent[],
  job: JobState | null,
  restored: Restored | null,
): Why {
  const steps = events.map((event) => ({
    atMs: event.timeMs,
    type: event.type,
    sentence: sentenceOf(event.type, dataOf(event)),
  }));
  const deadline = deadlineTold(events.map((event) => ({ type: event.type, data: dataOf(event) })));
  const answer = answerOf(record, events, job) + deadlineSentence(deadline, record);
  if (job?.state !== "parked") {
    const wentLate = record.sentMs === null ? null : (deadline?.rule ?? null);
    return { record, answer, rule: wentLate ?? ruleOf(record, events, job), deadline, steps };
  }
  const because = heldBackBecause(restored);
  const held = isSettled(record.status) ? answer : heldBack(record, because);
  return { record, answer: held, rule: because, deadline, steps };
}

function heldBack(record: MessageRecord, because: string): string {
  const request = `--request ${record.requestId}`;
  return (
    `Not yet: it was ${because}, because it may have been sent after the backup was made. Somebody has to decide: ` +
    `\`tidings held release ${request}\` lets it go on, \`tidings held drop ${request}\` gives it up.`
  );
}

function answerOf(record: MessageRecord, events: readonly RecordedEvent[], job: JobState | null): string {
  const who = record.recipient;
  switch (record.status) {
    case "SENT":
    case "DELIVERED":
    case "OPENED":
    case "CLICKED": {
      const at = record.sentMs === null ? "" : ` at ${new Date(record.sentMs).toISOString()}`;
      const caught =
        record.provider === "mailbox" ? " It was caught in the mailbox, not sent: no provider is configured." : "";
      return `Yes: ${record.provider ?? "a provider"} took it for ${who} by ${record.channel ?? "a channel"}${at}.${caught}`;
    }
    case "ENQUEUED":
    case "ROUTED":
      return job === null ? `Not yet: it is about to be worked on.` : waiting(job, events);
    case "DELAYED":
      return job === null
        ? `Not yet: it is delayed.`
        : `Not yet: it is delayed until ${new Date(job.dueMs).toISOString()}.`;
    case "CANCELED": {
      const { error } = cancellation(events);
      return `No: ${typeof error === "string" ? error : "it was cancelled before it was handed to a provider"}.`;
    }
    default:
      return `No (${record.status}${record.reason === null ? "" : `, ${record.reason}`}): ${record.error ?? "no further detail"}.`;
  }
}

function waiting(job: JobState, events: readonly RecordedEvent[]): string {
  switch (job.state) {
    case "held":
      return "Not yet: a worker has it in hand right now.";
    case "ready":
    case "parked":
      return "Not yet: it waits for its turn.";
    case "waiting": {
      const tries = events.filter(
        (event) => event.type === "message.retrying" || event.type === "message.unknown",
      ).length;
      const why = job.error === null ? "" : ` Reason: ${job.error}.`;
      return `Not yet: ${tries} tries so far, the next at ${new Date(job.dueMs).toISOString()}.${why}`;
    }
  }
}

function ruleOf(record: MessageRecord, events: readonly RecordedEvent[], job: JobState | null): string | null {
  if (job?.error != null) return job.error;
  if (record.status === "CANCELED") {
    const { rule } = cancellation(events);
    return typeof rule === "string" ? rule : "POST /messages/{id}/cancel";
  }
  // What reached someone was not stopped by what stood in its way before.
  if (record.sentMs !== null) return null;
  const last = events.findLast((event) => typeof dataOf(event)["rule"] === "string");
  const rule = last === undefined ? undefined : dataOf(last)["rule"];
  return typeof rule === "string" ? rule : null;
}

/** What is said of the end of a cancelled message: nothing, unless somebody gave it up after a restore. */
function cancellation(events: readonly RecordedEvent[]): JsonObject {
  const last = events.findLast(({ type }) => type === "message.canceled");
  return last === undefined ? {} : dataOf(last);
}

/** Our own events, written by our own stages, in words. */
function sentenceOf(type: string, data: JsonObject): string {
  const by = `${str(data["provider"])} (${str(data["channel"])})`;
  switch (type) {
    case "message.accepted":
      return `Accepted for ${str(data["recipient"])}${data["list"] === undefined ? "" : ` on the list ${str(data["list"])}`}${deadlineOfBirth(data)}.`;
    case "message.late":
      return `Late: ${str(data["rule"])}.`;
    case "message.delayed":
      return `Delayed until ${new Date(Number(data["untilMs"])).toISOString()}.`;
    case "message.routed":
      return `Routed: ${routes(data["channels"])}.`;
    case "message.rendered":
      return `Rendered for ${by}: "${str(data["title"])}".`;
    case "message.sent":
      return `${by} took it at try ${str(data["attempt"])}.`;
    case "message.retrying":
      return `${by} did not take it (${str(data["reason"])}); ${next(data)}.`;
    case "message.unknown":
      return `${by} gave no answer after hand-over (${str(data["reason"])}); ${data["then"] === "hold" ? "held for a decision" : next(data)}.`;
    case "message.refused":
      return `${by} refused it: ${str(data["reason"])}.`;
    case "message.canceled":
      return typeof data["error"] === "string" ? `Cancelled: ${data["error"]}.` : "Cancelled.";
    case "job.released":
    case "job.dropped":
      return `${sentence(str(data["rule"]))}.`;
    case "message.redriven":
      return "Re-driven by an operator.";
    case "message.resent":
      return `Sent again as ${str(data["as"])}.`;
    default:
      return typeof data["error"] === "string" ? `${type}: ${data["error"]}.` : `${type}.`;
  }
}

function routes(channels: Json | undefined): string {
  if (!Array.isArray(channels)) return "nowhere";
  const ways = (channels as readonly Json[]).filter(isJsonObject);
  return ways
    .map((way) =>
      way["rule"] === undefined
        ? `${str(way["channel"])} by ${str(way["provider"])}`
        : `${str(way["entry"])} closed (${str(way["rule"])})`,
    )
    .join(", ");
}

function next(data: JsonObject): string {
  const at = data["nextMs"];
  return typeof at === "number" ? `next try at ${new Date(at).toISOString()}` : "no more tries there";
}

function sentence(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function str(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}

function dataOf(event: RecordedEvent): JsonObject {
  const data = JSON.parse(event.data) as Json;
  return isJsonObject(data) ? data : {};
}

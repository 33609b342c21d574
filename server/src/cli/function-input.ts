import type { EventInput, HttpInput, Json as FunctionJson, QueueMessage, ScheduleInput, StreamEvent } from "tidings";
import { UsageFault } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import type { Json, JsonObject } from "#domain/json.ts";

/** Whence what is called by hand says that it comes. */
const BY_HAND = "by-hand";

type Input =
  | readonly QueueMessage<FunctionJson>[]
  | EventInput<FunctionJson>
  | readonly StreamEvent<FunctionJson>[]
  | HttpInput<FunctionJson>
  | ScheduleInput;

/**
 * What a handler is given by its trigger, made of the part that somebody thinks of: one message with this body, an event with
 * this data, a call with this body, this moment.
 *
 * @param view the function as `GET /functions/NAME` shows it.
 * @throws {UsageFault} when a file starts it: of that there is no input without the file.
 */
export function inputOf(view: JsonObject, body: Json, nowMs: number): Input {
  const trigger = object(view["trigger"]);
  const spec = object(trigger["spec"]);
  const said = JSON.stringify(body);
  switch (text(trigger, "kind")) {
    case "queue": {
      const where = { attributes: {}, groupId: null, receiveCount: 1, sentMs: nowMs };
      return [{ id: BY_HAND, body, text: typeof body === "string" ? body : said, ...where }];
    }
    case "event":
      return eventOf(spec["pattern"], body, nowMs);
    case "stream":
      return [{ ...eventOf(spec["filter"], body, nowMs), position: 0 }];
    case "http": {
      const [method, path] = [text(spec, "method"), text(spec, "path")];
      const params = Object.fromEntries(Array.from(path.matchAll(/:(\w+)/g), ([, name = ""]) => [name, name]));
      return { method, path, params, query: {}, headers: {}, body, text: body === null ? "" : said, caller: null };
    }
    case "schedule":
      return { scheduled: new Date(nowMs).toISOString(), scheduledMs: nowMs };
    default:
      throw new UsageFault("a file starts it: put one with `tidings blobs put`, or say all of its input with --data");
  }
}

/** An event that the pattern may have been meant for: with the first source and type that it names. */
function eventOf(pattern: Json | undefined, data: Json, nowMs: number): EventInput<FunctionJson> {
  const first = (name: string): string => {
    const wanted = object(pattern)[name];
    const found = Array.isArray(wanted) ? wanted.find((one) => typeof one === "string") : undefined;
    return typeof found === "string" ? found : BY_HAND;
  };
  return {
    id: `${BY_HAND}-${nowMs}`,
    source: first("source"),
    type: first("detail-type"),
    subject: null,
    time: new Date(nowMs).toISOString(),
    data,
  };
}

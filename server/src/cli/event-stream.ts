import type { Call, Client } from "#cli/client.ts";
import { Refusal } from "#cli/exit.ts";
import { pause, say, type World } from "#cli/world.ts";
import { OperatorFault } from "#domain/faults.ts";
import { isJsonObject, type JsonObject } from "#domain/json.ts";

/** Waits before connecting again: the first, and the longest. */
const AGAIN_MS_FIRST = 250;
const AGAIN_MS_MAX = 10_000;

/**
 * Events as they happen, across restarts of the server: after a break it connects again and goes on after the last
 * event that was seen (`Last-Event-ID`). Ends when the user interrupts.
 *
 * @throws what the first connection throws, and `Refusal` whenever the server says no.
 */
export async function* followEvents(world: World, client: Client, query: Call["query"]): AsyncGenerator<JsonObject> {
  let lastId = "";
  let waitMs = AGAIN_MS_FIRST;
  let connected = false;
  while (!world.signal.aborted) {
    try {
      const headers = lastId === "" ? {} : { "last-event-id": lastId };
      const call = { headers, signal: world.signal, ...(query === undefined ? {} : { query }) };
      for await (const message of client.stream("admin/events/stream", call)) {
        connected = true;
        waitMs = AGAIN_MS_FIRST;
        if (message.lastId !== "") lastId = message.lastId;
        const event = readEvent(message.data);
        if (event !== null) yield event;
      }
      connected = true;
    } catch (error) {
      if (world.signal.aborted) return;
      const later = error instanceof Refusal && (error.status === 429 || error.status === 503);
      if (!later && (error instanceof Refusal || !connected || !(error instanceof OperatorFault))) throw error;
      if (waitMs === AGAIN_MS_FIRST) say(world.err, "The connection broke; trying again.");
    }
    if (!(await pause(world, waitMs))) return;
    waitMs = Math.min(AGAIN_MS_MAX, waitMs * 2);
  }
}

function readEvent(json: string): JsonObject | null {
  try {
    const parsed: unknown = JSON.parse(json);
    // JSON.parse gives what JSON can say.
    return isJsonObject(parsed) ? (parsed as JsonObject) : null;
  } catch {
    return null;
  }
}

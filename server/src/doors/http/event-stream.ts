/**
 * The journal, followed live over server-sent events (WHATWG HTML §9.2):
 *
 *     reading ──page──▶ writing ──taken──▶ reading …      behind: as fast as the reader takes it
 *        └─ nothing new ──▶ waiting ──appended──▶ reading  caught up: woken by the next commit
 *                              └── beat ──▶ a comment, so that proxies and dead peers are noticed
 *
 * At most one page and what the socket has not taken yet is in memory per stream.
 */
import type { ServerResponse } from "node:http";
import { type Answer, overloaded } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { type RecordedEvent, toCloudEvent } from "#domain/event.ts";
import type { Clock } from "#ports/clock.ts";

/** Streams at once: operators' terminals, not subscribers. */
const STREAMS_MAX = 64;
/** Events read per step. */
const PAGE_MAX = 200;
/** Rest between two steps when caught up, so that a busy journal is read in pages and not event by event. */
const REST_MS = 25;
/** Proxies commonly cut what is silent for a minute. */
const BEAT_MS = 15_000;
/** When a stream that was refused may try again. */
const CROWDED_RETRY_MS = 5_000;

export type EventFilter = { readonly type: string | undefined; readonly subject: string | undefined };
/** How many streams a door has open. */
export type Streams = { open: number };

type House = Pick<HttpHouse, "store" | "engine" | "clock" | "log">;

/** True when an event is one of those that are asked for. */
export function passes(event: RecordedEvent, { type, subject }: EventFilter): boolean {
  return (type === undefined || event.type.startsWith(type)) && (subject === undefined || event.subject === subject);
}

/** Follows the journal behind `after` until the signal aborts. */
export function streamEvents(
  house: House,
  streams: Streams,
  ask: EventFilter & { readonly after: number },
  gone: () => AbortSignal,
): Answer {
  if (streams.open >= STREAMS_MAX) return overloaded(CROWDED_RETRY_MS);
  return {
    kind: "stream",
    open: (response) => {
      streams.open += 1;
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      response.write(": tidings\n\n");
      follow(house, ask, response, gone())
        .catch((fault: unknown) => {
          house.log.warn("A stream of events ended early", {
            error: fault instanceof Error ? fault.message : "unknown",
          });
        })
        .finally(() => {
          streams.open -= 1;
          response.end();
        });
    },
  };
}

async function follow(
  { store, engine, clock }: House,
  ask: EventFilter & { readonly after: number },
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const bell: Bell = { rung: false, wake: () => {} };
  const ring = (): void => {
    bell.rung = true;
    bell.wake();
  };
  gone.addEventListener("abort", ring);
  let forget = (): unknown => undefined;
  try {
    for (let after = ask.after; !gone.aborted; ) {
      // Asked for before reading: what is appended in between rings.
      forget();
      bell.rung = false;
      forget = engine.onAppended(ring);
      const page = await store.readJournal({ after, limit: PAGE_MAX });
      after = Math.max(after, page.upTo, page.events.at(-1)?.position ?? 0);
      const frames = page.events
        .filter((event) => passes(event, ask))
        .map(frameOf)
        .join("");
      if (frames !== "" && !response.write(frames)) await taken(response, gone);
      if (page.events.length === PAGE_MAX) continue;
      while (!bell.rung) {
        await ringOr(clock, BEAT_MS, bell);
        if (!bell.rung) response.write(": beat\n\n");
      }
      await rest(clock, gone);
    }
  } finally {
    forget();
    gone.removeEventListener("abort", ring);
  }
}

/** Rings when events were appended or the reader has gone. */
type Bell = { rung: boolean; wake: () => void };

async function ringOr(clock: Clock, ms: number, bell: Bell): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  bell.wake = resolve;
  await promise;
  bell.wake = () => {};
  timer.cancel();
}

async function rest(clock: Clock, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  clock.after(REST_MS, resolve);
  await promise;
}

/** The socket has taken what was written, or never will. */
async function taken(response: ServerResponse, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  response.once("drain", done);
  gone.addEventListener("abort", done, { once: true });
  await promise;
  response.off("drain", done);
  gone.removeEventListener("abort", done);
}

function frameOf(event: RecordedEvent): string {
  // JSON text has no line breaks; a foreign type might.
  const type = event.type.replace(/[\r\n]/g, " ");
  return `id: ${event.position}\nevent: ${type}\ndata: ${JSON.stringify(toCloudEvent(event))}\n\n`;
}

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import type { MailHost } from "./mail-host.ts";
import type { Program } from "./program.ts";
import { until } from "./until.ts";

/** What was promised so far: recipients by the ids of the requests that were answered with 202. */
export type Promised = Map<string, string>;

/**
 * Sends one message after the other, `inFlight` at once, until the program is gone or `wanted` messages were accepted.
 * Each goes to an address of its own, `<name>-<number>@example.com`. What is not answered with 202 was not promised.
 */
export async function sendAlways(
  program: Program,
  promised: Promised,
  wishes: { readonly name: string; readonly inFlight: number; readonly wanted?: number },
): Promise<void> {
  let next = 0;
  const wanted = wishes.wanted ?? Number.POSITIVE_INFINITY;
  const one = async (): Promise<void> => {
    while (next < wanted) {
      next += 1;
      const email = `${wishes.name}-${next}@example.com`;
      try {
        const id = await program.send({ to: { email }, content: { title: email, body: "Hello" } });
        promised.set(id, email);
      } catch (error) {
        if (error instanceof TypeError) return; // fetch: the connection broke, the program is gone
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: wishes.inFlight }, one));
}

/** What a load was told that goes on whatever it is told. */
export type Answers = {
  /** From the call to its 202, each. */
  readonly acceptedMs: number[];
  /** 503, each as it must be: the store cannot do it now, and when to come back. */
  refused: number;
  /** Addresses that were refused: nobody may write to them. */
  readonly refusedTo: string[];
  /** Everything else, which no trouble of the disk may cause. */
  readonly wrong: string[];
};

/**
 * Sends one message after the other, `inFlight` at once, each to an address of its own, until `stop` says so, or the
 * program is gone. A refusal is noted, and the next one follows after a moment.
 */
export async function sendAnyway(
  program: Program,
  promised: Promised,
  /** `delayMs`: of every other message, so that jobs wait, are woken and claimed. */
  wishes: { readonly name: string; readonly inFlight: number; readonly stop: AbortSignal; readonly delayMs?: number },
  answers: Answers = { acceptedMs: [], refused: 0, refusedTo: [], wrong: [] },
): Promise<Answers> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (!wishes.stop.aborted) {
      next += 1;
      const email = `${wishes.name}-${next}@example.com`;
      const startMs = performance.now();
      let response: Response;
      let text: string;
      try {
        const delayed = wishes.delayMs !== undefined && next % 2 === 0 ? { delay: { duration: wishes.delayMs } } : {};
        const message = { to: { email }, content: { title: email, body: "Hello" }, ...delayed };
        response = await program.call("POST", "/send", { message });
        text = await response.text();
      } catch {
        return; // the connection broke, the program is gone: nothing was promised, and nothing refused
      }
      if (response.status === 202) {
        promised.set((JSON.parse(text) as { requestId: string }).requestId, email);
        answers.acceptedMs.push(performance.now() - startMs);
        continue;
      }
      answers.refusedTo.push(email);
      if (isRefusalOfTheStore(response, text)) answers.refused += 1;
      else answers.wrong.push(`${response.status} ${text}`);
      await wait(AFTER_REFUSAL_MS);
    }
  };
  await Promise.all(Array.from({ length: wishes.inFlight }, one));
  return answers;
}

/** A client would wait for a second, as it is told; a test has less patience. */
const AFTER_REFUSAL_MS = 25;

export function isRefusalOfTheStore(response: Response, text: string): boolean {
  if (response.status !== 503 || response.headers.get("retry-after") !== "1") return false;
  const { type, code, message, hint, ...rest } = JSON.parse(text) as Record<string, string>;
  return (
    type === "api_error" &&
    code === "store.unavailable" &&
    /^The store cannot do this now \(store\.(full|busy|failed)\); (nothing of this call was kept|it may not have been kept)\./.test(
      message ?? "",
    ) &&
    (hint ?? "").length > 0 &&
    Object.keys(rest).length === 0
  );
}

/** Waits until nothing is left to do; then what was promised has been sent, and what was refused has not. */
export async function everythingArrives(
  program: Program,
  promised: Promised,
  refusedTo: readonly string[],
  { mails }: Pick<MailHost, "mails">,
): Promise<void> {
  await until("nothing is left to do", () => isIdle(program), DRAIN_MS_MAX);
  const arrived = new Set(mails.map(({ to }) => to));
  const lost = [...promised].filter(([, address]) => !arrived.has(address));
  assert.deepEqual(lost, [], "what was accepted arrives");
  const uncalled = refusedTo.filter((address) => arrived.has(address));
  assert.deepEqual(uncalled, [], "what was refused is not sent");
  const statuses = new Map((await allMessages(program)).map(({ id, status }) => [id, status]));
  const unsent = [...promised.keys()].filter((id) => statuses.get(id) !== "SENT");
  assert.deepEqual(unsent, [], "and its state says so");
}

/** A commit that failed is tried again after five seconds at the latest, and then everything flows. */
const DRAIN_MS_MAX = 30_000;

/** The mails that came more than once (the same Message-ID), those after the first. */
export function repeatedMails({ mails }: Pick<MailHost, "mails">) {
  const seen = new Set<string>();
  return mails.filter(({ messageId }) => seen.size === seen.add(messageId).size);
}

type MessagePage = {
  readonly paging: { readonly cursor?: string | null; readonly more: boolean };
  readonly results: readonly { readonly id: string; readonly status: string; readonly recipient: string }[];
};

/** Every message that the program knows. */
export async function allMessages(program: Program, query = ""): Promise<MessagePage["results"][number][]> {
  const found: MessagePage["results"][number][] = [];
  let cursor: string | null = null;
  do {
    const at: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await program.get<MessagePage>(`/messages?limit=100${query}${at}`);
    found.push(...page.results);
    cursor = page.paging.more ? (page.paging.cursor ?? null) : null;
  } while (cursor !== null);
  return found;
}

/**
 * True when no job is ready or in somebody's hands, nor waits for its time unless such `mayWait`. Those of consumers stand for
 * their partitions and are always in hand.
 */
export async function isIdle(program: Program, { mayWait = false } = {}): Promise<boolean> {
  type Depth = { readonly queue: string; readonly waiting: number; readonly ready: number; readonly held: number };
  const { queues } = await program.get<{ queues: readonly Depth[] }>("/admin/queues");
  return queues.every(
    ({ queue, waiting, ready, held }) => queue.startsWith("consumer:") || (mayWait ? 0 : waiting) + ready + held === 0,
  );
}

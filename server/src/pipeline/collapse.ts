/**
 * Collapse: of those messages that say the same thing to the same person, which is the newest?
 *
 * Every message that may collapse leaves a document in the commit in which it is born. Its id is
 *
 *     <digest of person and key> / <when it may first be sent, when it was accepted, a count> / <message>
 *
 * so that the newest of its kind is one look at an index, nobody reads before writing, and two sends at once need no
 * lock. A send to many is accepted long before its messages are born; until then a mark in front of all others stands
 * for it.
 *
 * A document is needed while an older message of its kind may still ask. Upkeep removes the rest, so there are never
 * more than messages that wait, and one for each kind that waits.
 */
import type { DocumentPut } from "#domain/document.ts";
import type { Deadline } from "#domain/deadline.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { NewMessage } from "#domain/message.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { collapseKeyOf } from "#pipeline/deadline.ts";
import type { Plan } from "#pipeline/plan.ts";
import { jobKeysOf, type Store } from "#ports/store.ts";
import type { Secrets } from "#ports/secrets.ts";

/** id = what is drawn above; the body says nothing more. */
export const COLLAPSING = "collapsing";

/** Characters of a digest that are used: 132 bits. */
const DIGEST_CHARS = 22;
/** Milliseconds in base 36: enough until the year 5188. */
const TIME_CHARS = 9;
/** Sends of one millisecond that are told apart in base 36; beyond, their order is that of their ids. */
const COUNT_CHARS = 2;
const COUNT_MAX = 36 ** COUNT_CHARS - 1;
const ORDER_CHARS = 2 * TIME_CHARS + COUNT_CHARS;
/** Marks of sends to many begin with a character that sorts before every digest. */
const FAN_OUT = "!/";
/** Behind every mark, before every digest. */
const FAN_OUTS_END = "!~";

/**
 * What is younger stays: a send that takes long to be accepted (attachments) may still become durable behind a newer
 * one.
 */
const GRACE_MS = 60_000;
/** How often the collection is gone through. */
const ROUND_MS = 60_000;
/** Documents per step, and the rest between steps: a step takes 1.7 ms of the thread, less than a tenth of it. */
const STEP_ROWS = 500;
const STEP_REST_MS = 25;

/** Gives sends their order. */
export class CollapseOrder {
  #lastMs = 0;
  #count = 0;

  /** Later in time, in acceptance, or in the same millisecond, is greater in code point order. */
  next(dueMs: number, nowMs: number): string {
    this.#count = nowMs === this.#lastMs ? Math.min(this.#count + 1, COUNT_MAX) : 0;
    this.#lastMs = nowMs;
    return base36(dueMs, TIME_CHARS) + base36(nowMs, TIME_CHARS) + base36(this.#count, COUNT_CHARS);
  }
}

function base36(number: number, chars: number): string {
  return number.toString(36).padStart(chars, "0");
}

/** The documents that go with the birth of messages; none unless they may collapse. */
export function collapsePuts(
  messages: readonly NewMessage[],
  plan: Plan,
  deadline: Deadline | null,
  secrets: Secrets,
  nowMs: number,
): readonly DocumentPut[] {
  if (deadline?.order === undefined) return [];
  const { order } = deadline;
  return messages.map((message) => put(documentId(message, plan, order, secrets), nowMs));
}

/** The mark of a send to many. */
export function fanOutPuts(id: RequestId, deadline: Deadline | null, nowMs: number): readonly DocumentPut[] {
  return deadline?.order === undefined ? [] : [put(`${FAN_OUT}${deadline.order}/${id}`, nowMs)];
}

function put(id: string, nowMs: number): DocumentPut {
  return { collection: COLLAPSING, id, body: "{}", when: "absent", nowMs };
}

/** The id of a message's document, by which cancelling takes it out of the row. */
export function documentId(
  message: Pick<NewMessage, "id" | "userId" | "recipient">,
  plan: Plan,
  order: string,
  secrets: Secrets,
): string {
  return `${kindOf(message, plan, secrets)}/${order}/${message.id}`;
}

function kindOf({ userId, recipient }: Pick<NewMessage, "userId" | "recipient">, plan: Plan, secrets: Secrets): string {
  const who = userId === null ? ["address", recipient.toLowerCase()] : ["user", userId];
  return secrets.digest(JSON.stringify([...who, collapseKeyOf(plan.message)])).slice(0, DIGEST_CHARS);
}

/** The newest message of the same kind whose time has come, if it is newer than this one. */
export async function newerThan(
  message: NewMessage,
  plan: Plan,
  order: string,
  parts: { readonly store: Store; readonly secrets: Secrets },
  nowMs: number,
): Promise<MessageId | null> {
  const prefix = `${kindOf(message, plan, parts.secrets)}/`;
  const after = prefix + base36(nowMs + 1, TIME_CHARS);
  const ask = { collection: COLLAPSING, prefix, after, order: "descending", limit: 1 } as const;
  const [newest] = await parts.store.listDocuments(ask);
  if (newest === undefined) return null;
  const found = partsOf(newest.id);
  return found.order > order && found.message !== message.id ? found.message : null;
}

function partsOf(id: string): { readonly kind: string; readonly order: string; readonly message: MessageId } {
  const orderAt = DIGEST_CHARS + 1;
  return {
    kind: id.slice(0, DIGEST_CHARS),
    order: id.slice(orderAt, orderAt + ORDER_CHARS),
    // Written by `documentId` alone.
    message: id.slice(orderAt + ORDER_CHARS + 1) as MessageId,
  };
}

/** Removes what nobody will ask for any more, until the engine stops; one node, that `leads`, is enough for it. */
export async function keepCollapsing(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted) return;
    if (!leads()) continue;
    try {
      await tidyCollapsing(engine);
    } catch (fault) {
      log.warn("Upkeep of what collapses could not finish this round; the next will", { error: errorText(fault) });
    }
  }
}

/** Goes through all once; returns how many went. */
export async function tidyCollapsing(engine: Engine, stepRows: number = STEP_ROWS): Promise<number> {
  const { store, clock } = engine.parts;
  const before = base36(clock.nowMs() - GRACE_MS, TIME_CHARS);
  const { removed, oldest } = await tidyFanOuts(engine, stepRows);
  const broom = new Broom(oldest, before);
  let count = removed;
  let after: string = FAN_OUTS_END;
  for (;;) {
    const page = await store.listDocuments({ collection: COLLAPSING, after, limit: stepRows });
    const entries = page.map(({ id }) => ({ id, ...partsOf(id) }));
    const jobs = await store.jobs(entries.map(({ message }) => message));
    const isLast = page.length < stepRows;
    const unneeded = [
      ...entries.flatMap((entry, at) => broom.sweep(entry, jobs[at] !== null)),
      ...(isLast ? broom.end() : []),
    ];
    await remove(engine, unneeded);
    count += unneeded.length;
    if (isLast || engine.signal.aborted) return count;
    after = page.at(-1)?.id ?? after;
    await sleep(clock, STEP_REST_MS, engine.signal);
  }
}

/** Drops the marks of sends that are expanded; the oldest that is not may still bear messages as old as it is. */
async function tidyFanOuts(
  engine: Engine,
  stepRows: number,
): Promise<{ readonly removed: number; readonly oldest: string | null }> {
  const { store } = engine.parts;
  let oldest: string | null = null;
  let removed = 0;
  for (let after: string | null = null; ; ) {
    const page = await store.listDocuments({ collection: COLLAPSING, prefix: FAN_OUT, after, limit: stepRows });
    const orders = page.map(({ id }) => id.slice(FAN_OUT.length, FAN_OUT.length + ORDER_CHARS));
    // Written by `fanOutPuts` alone.
    const ids = page.map(({ id }) => id.slice(FAN_OUT.length + ORDER_CHARS + 1) as RequestId);
    const jobs = await store.jobs(ids.map((id) => jobKeysOf(id).fanOut));
    oldest ??= orders.find((_order, at) => jobs[at] !== null) ?? null;
    const over = page.flatMap(({ id }, at) => (jobs[at] === null ? [id] : []));
    await remove(engine, over);
    removed += over.length;
    if (page.length < stepRows || engine.signal.aborted) return { removed, oldest };
    after = page.at(-1)?.id ?? null;
  }
}

async function remove(engine: Engine, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await engine.commit({ deletes: ids.map((id) => ({ collection: COLLAPSING, id })) });
}

type Entry = ReturnType<typeof partsOf> & { readonly id: string };

/**
 * Goes through the documents in their order, kind by kind, and says which are not needed. Of a kind whose time has come,
 * what is done goes as soon as a newer one is met; the newest goes, if it is done, when nothing older waits.
 */
class Broom {
  /** Order of the oldest send that is not expanded yet. */
  readonly #oldestFanOut: string | null;
  /** What has a greater order than this is too young, or to be sent only later. */
  readonly #before: string;
  #kind = "";
  #waits = false;
  #newestDone: Entry | null = null;

  constructor(oldestFanOut: string | null, before: string) {
    this.#oldestFanOut = oldestFanOut;
    this.#before = before;
  }

  sweep(entry: Entry, waits: boolean): readonly string[] {
    const unneeded = entry.kind === this.#kind ? [] : this.end();
    this.#kind = entry.kind;
    if (entry.order >= this.#before) return unneeded;
    const before = this.#newestDone;
    this.#newestDone = waits ? null : entry;
    this.#waits ||= waits;
    return before === null ? unneeded : [...unneeded, before.id];
  }

  /** The end of a kind, and of all. */
  end(): readonly string[] {
    const newest = this.#newestDone;
    const needed = this.#waits || (this.#oldestFanOut !== null && newest !== null && this.#oldestFanOut < newest.order);
    this.#newestDone = null;
    this.#waits = false;
    return newest === null || needed ? [] : [newest.id];
  }
}

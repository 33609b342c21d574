import type { Json } from "#domain/json.ts";
import { isJsonObject } from "#domain/json.ts";
import type { RequestId } from "#domain/ids.ts";
import { isSettled, type MessageRecord } from "#domain/message.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Envelope } from "#ports/provider.ts";
import { testSecrets } from "../support/world.ts";

/**
 * How long before a death a call may have ended and still be repeated: its commit waits for a slow store and for disks
 * that are full (15 s each, sometimes two in a row), and then up to 5 s for the next try. A bound against results that
 * are never committed, not a measure of how wide the window is.
 */
const WINDOW_MS_MAX = 90_000;
const PAGE_MAX = 500;

/** Why a message that was sent already may be sent again. Faults of the store are no reason. */
export type Excuse =
  /** The process died while the call was under way, or before its result was durable. */
  | "crash"
  /** The provider kept silent, and the sender wanted another try. */
  | "unknown"
  /** The provider took it and said that it did not. */
  | "lie"
  /** A person asked for another try. */
  | "redriven";

/** One call of a provider, as the outside world saw it. */
export type Call = {
  readonly provider: string;
  /** By the wall clock. */
  readonly startMs: number;
  endMs: number | null;
  /** By the clock that does not jump. */
  endMonotonicMs: number | null;
  /** Whether the words went out, whatever the provider said. */
  sent: boolean;
  outcome: Outcome["kind"] | null;
  excuse: Excuse | null;
};

/** What the words of a message say of how it was to be sent; the ledger believes nothing but what arrives outside. */
export type Wish = {
  readonly label: string;
  readonly unknown: "retry" | "hold";
  readonly patienceMs: number;
  readonly delayMs: number;
};

export function titleOf({ label, unknown, patienceMs, delayMs }: Wish): string {
  return `#${label} ${unknown} ${patienceMs} ${delayMs}.`;
}

/** Who must have exactly one outcome of an accepted request. */
export type Due = {
  /** Exactly these, by recipient; or at least these, when a list may change meanwhile. */
  readonly recipients: "exactly" | "at least";
  readonly of: () => ReadonlySet<string>;
};

/** Writes down what was promised and what providers saw, and compares them with what the store says in the end. */
export class Ledger {
  readonly violations: string[] = [];
  checks = 0;
  calls = 0;
  /** Calls that repeated something, by the reason why that was allowed. */
  readonly repeats: Record<Excuse, number> = { crash: 0, unknown: 0, lie: 0, redriven: 0 };
  /** Messages by their last status. */
  readonly outcomes: Record<string, number> = {};
  readonly #accepted = new Map<RequestId, Due>();
  /** By message and channel. */
  readonly #calls = new Map<string, Call[]>();
  /** Those of which the store has told that they are sent. */
  readonly #told = new Set<string>();
  readonly #canceled = new Set<string>();
  /** `list/user` and addresses whose no was acknowledged. */
  readonly #no = new Set<string>();

  accepted(id: RequestId, due: Due): void {
    this.#accepted.set(id, due);
  }

  canceled(id: string): void {
    this.#canceled.add(id);
  }

  saidNo(who: string): void {
    this.#no.add(who);
  }

  takesBackNo(who: string): void {
    this.#no.delete(who);
  }

  redriven(messageId: string): void {
    for (const [key, calls] of this.#calls)
      if (key.startsWith(`${messageId} `)) for (const call of calls) call.excuse ??= "redriven";
  }

  /** A provider is called: may it be? */
  call(provider: string, envelope: Envelope, clock: Clock): Call {
    const { messageId, content } = envelope;
    const key = `${messageId} ${content.channel}`;
    const before = this.#calls.get(key) ?? [];
    const wish = wishOf(JSON.stringify(content));
    const nowMs = clock.nowMs();
    this.calls += 1;
    this.#holds(!this.#canceled.has(messageId), `${messageId} was cancelled and is sent`);
    if (content.channel === "email") {
      const list = listOf(content.unsubscribe?.url ?? "");
      this.#holds(list === null || !this.#no.has(list), `${list} left and is written to (${messageId})`);
      this.#holds(!this.#no.has(content.to), `${content.to} is suppressed and is written to (${messageId})`);
    }
    const earlier = before.filter(({ provider: same }) => same === provider).length;
    const { attempt } = envelope;
    this.#holds(attempt >= 1 && attempt <= earlier + 1, `${key}: try ${attempt} follows ${earlier} calls`);
    const open = before.find((call) => call.excuse === null && call.endMs === null);
    this.#holds(open === undefined, `${key} is in two calls at once`);
    const sent = before.filter((call) => call.sent);
    this.#holds(
      sent.every((call) => call.excuse !== null),
      `${key} was sent and is sent again without a reason`,
    );
    if (wish !== null) this.#wished(key, wish, before, { provider, envelope, nowMs });
    const last = sent.at(-1)?.excuse ?? null;
    if (last !== null) this.repeats[last] += 1;
    const call: Call = {
      provider,
      startMs: nowMs,
      endMs: null,
      endMonotonicMs: null,
      sent: false,
      outcome: null,
      excuse: null,
    };
    this.#calls.set(key, [...before, call]);
    return call;
  }

  #wished(
    key: string,
    wish: Wish,
    before: readonly Call[],
    { provider, envelope, nowMs }: { provider: string; envelope: Envelope; nowMs: number },
  ): void {
    const dueMs = envelope.acceptedMs + wish.delayMs;
    this.#holds(nowMs >= dueMs, `${key} is sent ${dueMs - nowMs} ms before its time`);
    const held = wish.unknown === "hold" && before.some((call) => call.outcome === "unknown" && call.excuse === null);
    this.#holds(!held, `${key} was to be held when it is unknown whether it arrived, and is tried again`);
    if (before.some(({ excuse }) => excuse === "redriven")) return;
    const counted = before.filter(({ excuse }) => excuse !== "crash");
    // The next provider has its one try, however late: a refusal by the first is news about the first.
    const [first, last] = [counted[0], counted.findLast((call) => call.provider === provider)];
    if (first === undefined || last === undefined) return;
    const passedMs = (last.endMs ?? last.startMs) - first.startMs;
    this.#holds(passedMs < wish.patienceMs, `${key} is tried again after ${passedMs} ms of ${wish.patienceMs}`);
  }

  /** The provider has answered. What was sent and is not called so is excused at once. */
  answered(call: Call, outcome: Outcome, sent: boolean, wish: "retry" | "hold", clock: Clock): void {
    call.endMs = clock.nowMs();
    call.endMonotonicMs = clock.monotonicMs();
    call.outcome = outcome.kind;
    call.sent = sent;
    if (outcome.kind === "unknown" && wish === "retry") call.excuse ??= "unknown";
    if (outcome.kind !== "unknown" && outcome.kind !== "sent" && sent) call.excuse ??= "lie";
  }

  /** The process has died. What was in a call, or was answered and is not durable, may be done again: that is the window. */
  async died(store: MemoryStore, clock: Clock): Promise<void> {
    const nowMs = clock.monotonicMs();
    for (const [key, calls] of this.#calls) {
      if (this.#told.has(key)) continue;
      const [messageId = "", channel] = key.split(" ");
      const events = await store.eventsOf(messageId, 1_000);
      const told = (types: readonly string[]): number =>
        events.filter(({ type, data }) => types.includes(type) && textOf(data, "channel") === channel).length;
      if (told(["message.sent"]) > 0) {
        this.#told.add(key);
        continue;
      }
      // The results of calls are committed in their order: those behind the last one that was told are lost.
      let lost = calls.length - this.#forgotten(calls) - told(ANSWERS);
      for (const call of calls.toReversed()) {
        if (call.excuse === "crash" || lost <= 0) continue;
        lost -= 1;
        const sinceMs = call.endMonotonicMs === null ? 0 : nowMs - call.endMonotonicMs;
        this.#holds(sinceMs <= WINDOW_MS_MAX, `${key} was answered ${sinceMs} ms ago and is not durable`);
        call.excuse = "crash";
      }
    }
  }

  #forgotten(calls: readonly Call[]): number {
    return calls.filter(({ excuse }) => excuse === "crash").length;
  }

  /** Everything has come to rest: does it balance? */
  async audit(store: MemoryStore): Promise<void> {
    const requests = [...this.#accepted.keys()];
    for (const [at, request] of (await store.requests(requests)).entries())
      this.#holds(request !== null, `${requests[at]} was accepted and is gone`);
    const messages = await all(store);
    const byRequest = Map.groupBy(messages, ({ requestId }) => requestId);
    for (const [id, due] of this.#accepted) this.#balance(id, due, byRequest.get(id) ?? []);
    for (const message of messages) await this.#outcome(store, message);
    for (const { queue, waiting, ready, held } of await store.depths())
      this.#holds(waiting + ready + held === 0, `${queue} still has ${waiting + ready + held} jobs`);
    this.#onceEach(messages);
  }

  #balance(id: RequestId, due: Due, messages: readonly MessageRecord[]): void {
    const recipients = messages.map(({ recipient }) => recipient);
    const have = new Set(recipients);
    this.#holds(have.size === recipients.length, `${id}: someone has two outcomes`);
    for (const who of due.of()) this.#holds(have.has(who), `${id}: ${who} has no outcome`);
    if (due.recipients === "exactly")
      this.#holds(have.size === due.of().size, `${id}: ${have.size} outcomes for ${due.of().size} recipients`);
  }

  async #outcome(store: MemoryStore, { id, status }: MessageRecord): Promise<void> {
    this.outcomes[status] = (this.outcomes[status] ?? 0) + 1;
    this.#holds(isSettled(status), `${id} is still ${status}`);
    const events = await store.eventsOf(id, 1_000);
    const types = events.map(({ type }) => LETTERS[type] ?? "?").join("");
    this.#holds(HISTORY.test(types), `${id}: its history is out of order: ${events.map((e) => e.type).join(" ")}`);
    const sent = events.filter(({ type }) => type === "message.sent").map(({ data }) => textOf(data, "channel"));
    const redriven = types.includes("v");
    this.#holds(redriven || new Set(sent).size === sent.length, `${id} is told to be sent ${sent.length} times`);
    const calls = ["email", "sms"].flatMap((channel) => this.#calls.get(`${id} ${channel}`) ?? []);
    const took = calls.some(({ outcome }) => outcome === "sent");
    if (status === "SENT") this.#holds(took, `${id} is SENT and no provider took it`);
    const telling = events.filter(({ type }) => ANSWERS.includes(type)).length;
    this.#holds(telling <= calls.length, `${id}: ${telling} answers of ${calls.length} calls`);
  }

  /** A repeated call with the same key is one request: all its messages carry the key, and one request's id. */
  #onceEach(messages: readonly MessageRecord[]): void {
    for (const [key, same] of Map.groupBy(messages, ({ traceId }) => traceId)) {
      if (key === null) continue;
      const ids = new Set(same.map(({ requestId }) => requestId));
      this.#holds(ids.size === 1, `the key ${key} was accepted ${ids.size} times`);
    }
  }

  #holds(holds: boolean, otherwise: string): void {
    this.checks += 1;
    if (!holds) this.violations.push(otherwise);
  }
}

/** Every message of the store, acknowledged or not. */
async function all(store: MemoryStore): Promise<readonly MessageRecord[]> {
  const found: MessageRecord[] = [];
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<MemoryStore["listMessages"]>> = await store.listMessages(
      {},
      { after, limit: PAGE_MAX },
    );
    found.push(...page.messages);
    if (page.next === null) return found;
    after = page.next;
  }
}

/** `list/user` of the unsubscribe link of a mail; null when it is not from a list. */
function listOf(url: string): string | null {
  const text = testSecrets.unseal(url.slice(url.lastIndexOf("/") + 1));
  const [kind, list, user] = text === null ? [] : (JSON.parse(text) as readonly Json[]);
  return kind === "list" ? `${String(list)}/${String(user)}` : null;
}

/** Reads what `titleOf` wrote, wherever it stands in the words that arrived. */
export function wishOf(words: string): Wish | null {
  const [, label, unknown, patienceMs, delayMs] = /#(\w+) (retry|hold) (\d+) (\d+)\./.exec(words) ?? [];
  if (label === undefined || (unknown !== "retry" && unknown !== "hold")) return null;
  return { label, unknown, patienceMs: Number(patienceMs), delayMs: Number(delayMs) };
}

function textOf(json: string, field: string): string | null {
  const data = JSON.parse(json) as Json;
  const value = isJsonObject(data) ? data[field] : undefined;
  return typeof value === "string" ? value : null;
}

/** Events that tell of a provider's answer: one for each call whose result was committed. */
const ANSWERS = ["message.sent", "message.retrying", "message.unknown", "message.refused"];

const LETTERS: Readonly<Record<string, string>> = {
  "message.accepted": "a",
  "message.delayed": "d",
  "message.routed": "r",
  "message.rendered": "n",
  "message.sent": "s",
  "message.retrying": "t",
  "message.unknown": "u",
  "message.refused": "f",
  "message.canceled": "c",
  "message.undeliverable": "e",
  "message.unroutable": "e",
  "message.redriven": "v",
  // Tells of the job, beside it.
  "job.redriven": "",
};

/** Accepted, perhaps delayed, routed, tried, and one end; after a failure it may be re-driven, and then again. */
const HISTORY = /^ad?r?([tuf]|ns)*[ce]?(vr?([tuf]|ns)*e?)*$/;

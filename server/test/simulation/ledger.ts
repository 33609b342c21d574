import { suppressionId } from "#directory/collections.ts";
import type { RecordedEvent } from "#domain/event.ts";
import type { Json } from "#domain/json.ts";
import { isJsonObject } from "#domain/json.ts";
import { newRequestId, type RequestId } from "#domain/ids.ts";
import { isSettled, type MessageRecord } from "#domain/message.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";
import type { Clock } from "#ports/clock.ts";
import { EXPAND_QUEUE, MESSAGE_QUEUE } from "#pipeline/stages.ts";
import type { Envelope } from "#ports/provider.ts";
import { testSecrets } from "../support/world.ts";
import { allMessages } from "./keeper.ts";
import { Witness } from "./witness.ts";

/**
 * How long before a death a call may have ended and still be repeated: its commit waits for a slow store and for disks
 * that are full (15 s each, sometimes two in a row), and then up to 5 s for the next try. A bound against results that
 * are never committed, not a measure of how wide the window is.
 */
const WINDOW_MS_MAX = 90_000;

/** Why a message that was sent already may be sent again. Faults of the store are no reason. */
export type Excuse =
  /** The process died while the call was under way, or before its result was durable. */
  | "crash"
  /** The provider kept silent, and the sender wanted another try. */
  | "unknown"
  /** The provider took it and said that it did not. */
  | "lie"
  /** A person asked for another try. */
  | "redriven"
  /** Heartbeats found nobody, the lease ran out while the call was under way, and another hand took the job. */
  | "lapse";

/** One call of a provider, as the outside world saw it. */
export type Call = {
  readonly id: number;
  readonly messageId: string;
  readonly key: string;
  readonly provider: string;
  /** By the wall clock. */
  readonly startMs: number;
  /** By the clock that does not jump. */
  readonly startMonotonicMs: number;
  endMs: number | null;
  /** By the clock that does not jump. */
  endMonotonicMs: number | null;
  /** Whether the words went out, whatever the provider said. */
  sent: boolean;
  outcome: Outcome["kind"] | null;
  excuse: Excuse | null;
  /** Whether the journal tells of its answer. */
  told: boolean;
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
  /** Calls from which another hand took the job, because no heartbeat got through. */
  lapses = 0;
  /** Calls that repeated something, by the reason why that was allowed. */
  readonly repeats: Record<Excuse, number> = { crash: 0, unknown: 0, lie: 0, redriven: 0, lapse: 0 };
  /** Messages by their last status. */
  readonly outcomes: Record<string, number> = {};
  readonly witness = new Witness((event) => this.#hears(event));
  readonly #accepted = new Map<RequestId, Due>();
  /** By message and channel. */
  readonly #calls = new Map<string, Call[]>();
  readonly #callsById = new Map<number, Call>();
  /** Calls of which the journal has not told yet, and which nothing excuses. */
  readonly #untold = new Set<Call>();
  /** When a job was claimed last, counted in calls. */
  readonly #claims = new Map<string, number>();
  readonly #canceled = new Set<string>();
  /** `list/user` and addresses whose no was acknowledged. */
  readonly #no = new Set<string>();
  /** Ids of suppressions that the process itself knows of. */
  readonly #suppressed = new Set<string>();
  /** Labels of sends that were refused, so that nothing may come of them. */
  readonly #refused = new Set<string>();
  /** The ids under which a send goes to somebody, and how many there may be. */
  readonly #ids = new Map<string, Set<string>>();
  readonly #idsMax = new Map<string, number>();
  /** Messages whose outcome is counted. */
  readonly #ended = new Set<string>();
  /** Messages and requests that retention has deleted, after an audit. */
  readonly #gone = new Map<string, MessageRecord>();
  readonly #goneRequests = new Set<RequestId>();
  readonly #mayHaveLapsed: (fromMs: number, toMs: number) => boolean;

  /** @param mayHaveLapsed whether a lease may have run out between two moments of the clock that does not jump. */
  constructor(mayHaveLapsed: (fromMs: number, toMs: number) => boolean = () => false) {
    this.#mayHaveLapsed = mayHaveLapsed;
  }

  accepted(id: RequestId, due: Due): void {
    this.#accepted.set(id, due);
  }

  acceptedIds(): readonly RequestId[] {
    return [...this.#accepted.keys()];
  }

  /** Nothing may come of a send that was refused. */
  refused(label: string): void {
    this.#refused.add(label);
  }

  /** The words of this send may go out once more under another id. */
  mayBeSentAs(label: string): void {
    this.#idsMax.set(label, (this.#idsMax.get(label) ?? 1) + 1);
  }

  suppressed(id: string): void {
    this.#suppressed.add(id);
  }

  claimed(key: string): void {
    this.#claims.set(key, this.calls);
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
    for (const channel of CHANNELS)
      for (const call of this.#calls.get(`${messageId} ${channel}`) ?? []) call.excuse = "redriven";
  }

  /** A provider is called: may it be? */
  call(provider: string, envelope: Envelope, clock: Clock): Call {
    const { messageId, content } = envelope;
    const key = `${messageId} ${content.channel}`;
    const before = this.#calls.get(key) ?? [];
    const wish = wishOf(JSON.stringify(content));
    const nowMs = clock.nowMs();
    this.calls += 1;
    for (const call of before)
      if (this.#lapsed(call, clock)) {
        call.excuse = "lapse";
        this.lapses += 1;
      }
    this.holds(!this.#canceled.has(messageId), `${messageId} was cancelled and is sent`);
    if (content.channel === "email") {
      const list = listOf(content.unsubscribe?.url ?? "");
      this.holds(list === null || !this.#no.has(list), `${list} left and is written to (${messageId})`);
      const no = this.#no.has(content.to) || this.#suppressed.has(suppressionId("email", content.to));
      this.holds(!no, `${content.to} is suppressed and is written to (${messageId})`);
    }
    const earlier = before.filter(({ provider: same }) => same === provider).length;
    const { attempt } = envelope;
    this.holds(attempt >= 1 && attempt <= earlier + 1, `${key}: try ${attempt} follows ${earlier} calls`);
    const open = before.find((call) => call.excuse === null && call.endMs === null);
    this.holds(open === undefined, `${key} is in two calls at once`);
    const sent = before.filter((call) => call.sent);
    this.holds(
      sent.every((call) => call.excuse !== null),
      `${key} was sent and is sent again without a reason`,
    );
    if (wish !== null) this.#wished(key, wish, before, { provider, envelope, nowMs });
    if (wish !== null) this.#named(wish, envelope);
    const last = sent.at(-1)?.excuse ?? null;
    if (last !== null) this.repeats[last] += 1;
    const call: Call = {
      id: this.calls,
      messageId,
      key,
      provider,
      startMs: nowMs,
      startMonotonicMs: clock.monotonicMs(),
      endMs: null,
      endMonotonicMs: null,
      sent: false,
      outcome: null,
      excuse: null,
      told: false,
    };
    this.#calls.set(key, [...before, call]);
    this.#callsById.set(call.id, call);
    this.#untold.add(call);
    return call;
  }

  /** Whether the job may have come into other hands while the call was under way, or before its result was durable. */
  #lapsed({ excuse, told, messageId, id, startMonotonicMs, endMonotonicMs }: Call, clock: Clock): boolean {
    if (excuse !== null || told || (this.#claims.get(messageId) ?? 0) < id) return false;
    const untilMs = endMonotonicMs === null ? clock.monotonicMs() : endMonotonicMs + WINDOW_MS_MAX;
    return this.#mayHaveLapsed(startMonotonicMs, Math.min(untilMs, clock.monotonicMs()));
  }

  /** A provider, or whoever reads the mail, knows a repetition by its id: the same words have the same id. */
  #named({ label }: Wish, { messageId, content }: Envelope): void {
    this.holds(!this.#refused.has(label), `#${label} was refused and is sent (${messageId})`);
    if (content.channel !== "email") return;
    const name = `${label} ${content.to}`;
    const ids = this.#ids.get(name) ?? new Set();
    this.#ids.set(name, ids.add(messageId));
    const most = this.#idsMax.get(label) ?? 1;
    this.holds(ids.size <= most, `#${label} goes to ${content.to} under ${ids.size} ids, ${[...ids].join(" and ")}`);
  }

  #wished(
    key: string,
    wish: Wish,
    before: readonly Call[],
    { provider, envelope, nowMs }: { provider: string; envelope: Envelope; nowMs: number },
  ): void {
    const dueMs = envelope.acceptedMs + wish.delayMs;
    this.holds(nowMs >= dueMs, `${key} is sent ${dueMs - nowMs} ms before its time`);
    const held = wish.unknown === "hold" && before.some((call) => call.outcome === "unknown" && call.excuse === null);
    this.holds(!held, `${key} was to be held when it is unknown whether it arrived, and is tried again`);
    if (before.some(({ excuse }) => excuse === "redriven")) return;
    const counted = before.filter(({ excuse }) => excuse !== "crash" && excuse !== "lapse");
    // The next provider has its one try, however late: a refusal by the first is news about the first.
    const [first, last] = [counted[0], counted.findLast((call) => call.provider === provider)];
    if (first === undefined || last === undefined) return;
    const passedMs = (last.endMs ?? last.startMs) - first.startMs;
    this.holds(passedMs < wish.patienceMs, `${key} is tried again after ${passedMs} ms of ${wish.patienceMs}`);
  }

  /**
   * The provider has answered. What was sent and is not called so is excused at once.
   * @returns the answer, marked so that the journal tells of which call it speaks.
   */
  answered(call: Call, outcome: Outcome, sent: boolean, wish: "retry" | "hold", clock: Clock): Outcome {
    call.endMs = clock.nowMs();
    call.endMonotonicMs = clock.monotonicMs();
    call.outcome = outcome.kind;
    call.sent = sent;
    if (outcome.kind === "unknown" && wish === "retry") call.excuse ??= "unknown";
    if (outcome.kind !== "unknown" && outcome.kind !== "sent" && sent) call.excuse ??= "lie";
    return outcome.kind === "sent"
      ? { ...outcome, reference: { ...outcome.reference, call: `~${call.id}~` } }
      : { ...outcome, reason: `${outcome.reason} ~${call.id}~` };
  }

  /** The journal tells of an answer. */
  #hears({ type, subject, data }: RecordedEvent): void {
    if (!ANSWERS.includes(type)) return;
    const call = this.#callsById.get(Number(/~(\d+)~/.exec(data)?.[1]));
    this.holds(call !== undefined && call.messageId === subject, `${subject}: an answer is told that nobody gave`);
    if (call === undefined) return;
    this.holds(!call.told, `${call.key}: the answer of one call is told twice`);
    call.told = true;
    this.#untold.delete(call);
  }

  /**
   * The process has died. What was in a call, or was answered and is not durable, may be done again: that is the window.
   * @returns how many calls were in it.
   */
  async died(store: MemoryStore, clock: Clock): Promise<number> {
    await this.witness.look(store);
    const lost = [...this.#untold];
    this.#untold.clear();
    let open = 0;
    for (const call of lost) {
      const sinceMs = call.endMonotonicMs === null ? 0 : clock.monotonicMs() - call.endMonotonicMs;
      const lapsed = call.excuse === "lapse" || this.#mayHaveLapsed(call.startMonotonicMs, clock.monotonicMs());
      if (!lapsed) this.holds(sinceMs <= WINDOW_MS_MAX, `${call.key} was answered ${sinceMs} ms ago, is not durable`);
      if (!lapsed) open += 1;
      call.excuse = "crash";
    }
    return open;
  }

  /** Retention has deleted a message: it must have come to its end, and nobody may wait for it any more. */
  forgets(message: MessageRecord, olderThanMs: number, isWaitedFor: boolean): void {
    const { id, enqueuedMs } = message;
    // A dying process and the one that looks after it may both tell.
    if (this.#gone.has(id)) return;
    this.#gone.set(id, message);
    this.holds(enqueuedMs < olderThanMs, `${id} is forgotten, and is too young by ${enqueuedMs - olderThanMs} ms`);
    this.holds(!isWaitedFor, `${id} is forgotten, and its job or dead letter is kept`);
    this.#outcome(message);
  }

  forgetsRequests(ids: readonly RequestId[], olderThanMs: number): void {
    for (const id of ids) {
      if (this.#goneRequests.has(id)) continue;
      const youngest = newRequestId(olderThanMs, "f".repeat(24));
      this.holds(id < youngest, `${id} was accepted and is gone, and is too young to be forgotten`);
      this.#goneRequests.add(id);
    }
  }

  /** Everything has come to rest: does it balance? */
  async audit(store: MemoryStore): Promise<void> {
    await this.witness.look(store);
    const requests = this.acceptedIds();
    // The first answer to a key got lost, and when the next one was heard the request was forgotten.
    const gone = [...this.#gone.values()];
    const goneUnheard = new Set(gone.map(({ requestId }) => requestId));
    for (const [at, request] of (await store.requests(requests)).entries()) {
      const id = requests[at];
      const isGone = id !== undefined && (this.#goneRequests.has(id) || goneUnheard.has(id));
      this.holds(request !== null || isGone, `${id} was accepted and is gone`);
    }
    const messages = await allMessages(store);
    for (const message of messages) this.#outcome(message);
    const ever = [...gone, ...messages];
    const byRequest = Map.groupBy(ever, ({ requestId }) => requestId);
    for (const [id, due] of this.#accepted) this.#balance(id, due, byRequest.get(id) ?? []);
    this.#onceEach(ever);
    for (const { queue, waiting, ready, held } of await store.depths())
      if (queue === EXPAND_QUEUE || queue === MESSAGE_QUEUE)
        this.holds(waiting + ready + held === 0, `${queue} still has ${waiting + ready + held} jobs`);
  }

  #balance(id: RequestId, due: Due, messages: readonly MessageRecord[]): void {
    const recipients = messages.map(({ recipient }) => recipient);
    const have = new Set(recipients);
    this.holds(have.size === recipients.length, `${id}: someone has two outcomes`);
    for (const who of due.of()) this.holds(have.has(who), `${id}: ${who} has no outcome`);
    if (due.recipients === "exactly")
      this.holds(have.size === due.of().size, `${id}: ${have.size} outcomes for ${due.of().size} recipients`);
  }

  #outcome({ id, status }: MessageRecord): void {
    // What is forgotten after the audit has been counted already.
    if (!this.#ended.has(id)) this.outcomes[status] = (this.outcomes[status] ?? 0) + 1;
    this.#ended.add(id);
    this.holds(isSettled(status), `${id} is still ${status}`);
    const events = this.witness.of(id);
    const types = events.map(({ type }) => LETTERS[type] ?? "?").join("");
    this.holds(HISTORY.test(types), `${id}: its history is out of order: ${events.map((e) => e.type).join(" ")}`);
    const sent = events.filter(({ type }) => type === "message.sent").map(({ data }) => textOf(data, "channel"));
    const redriven = types.includes("v");
    this.holds(redriven || new Set(sent).size === sent.length, `${id} is told to be sent ${sent.length} times`);
    const calls = CHANNELS.flatMap((channel) => this.#calls.get(`${id} ${channel}`) ?? []);
    const took = calls.some(({ outcome }) => outcome === "sent");
    if (status === "SENT") this.holds(took, `${id} is SENT and no provider took it`);
    for (const { data } of events) {
      if (!data.includes('"rule":"the pipeline failed on it"')) continue;
      // Five deaths in a row, each with this message in hand, make it a suspect.
      const why = textOf(data, "error") ?? "";
      this.holds(/workers took it/.test(why), `${id} was given up by a mistake of ours: ${why}`);
    }
  }

  /** A repeated call with the same key is one request, as long as the key lives: all its messages carry the key. */
  #onceEach(messages: readonly MessageRecord[]): void {
    for (const [key, same] of Map.groupBy(messages, ({ traceId }) => traceId)) {
      if (key === null) continue;
      const ids = new Set(same.map(({ requestId }) => requestId));
      this.holds(ids.size === 1, `the key ${key} was accepted ${ids.size} times`);
    }
  }

  /** Notes a violation if it does not hold. */
  readonly holds = (holds: boolean, otherwise: string): void => {
    this.checks += 1;
    if (!holds) this.violations.push(otherwise);
  };
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

const CHANNELS = ["email", "sms"];

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
  // Tell of the job, and of another message, beside it.
  "job.redriven": "",
  "job.discarded": "",
  "message.resent": "",
};

/** Accepted, perhaps delayed, routed, tried, and one end; after a failure it may be re-driven, and then again. */
const HISTORY = /^ad?r?([tuf]|ns)*[ce]?(vr?([tuf]|ns)*e?)*$/;

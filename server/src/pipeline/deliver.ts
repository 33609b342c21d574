/**
 * Deliver: one try of one way.
 *
 *     open way ──render──▶ gate ──▶ provider ──▶ sent
 *         │          │       │           ├──▶ refused ──▶ next provider, or failed (hard bounce: suppressed)
 *         │          │       │           ├──▶ retry, policy ──▶ later; patience over: next provider, or failed
 *         │          │       │           └──▶ unknown ──sender's choice──▶ later (retry), or held
 *         │          │       └── later ──▶ later, no try counted
 *         │          └── cannot be said ──▶ failed
 *         └── closed ──▶ skipped, with the rule
 *
 * Decides, and writes nothing. If the process dies while the provider is called, the try is made again: this is the one
 * window in which a crash can repeat something, and a mail's Message-ID is the same both times.
 */
import { suppressionEffects } from "#directory/suppressions.ts";
import type { DocumentPut } from "#domain/document.ts";
import { type NewEvent, newEvent } from "#domain/event.ts";
import { unreachable } from "#domain/invariant.ts";
import type { JsonObject } from "#domain/json.ts";
import { CHANNEL_TIMEOUT_MS, MESSAGE_TIMEOUT_MS, PROVIDER_TIMEOUT_MS } from "#domain/limits.ts";
import type { MessagePatch } from "#domain/message.ts";
import type { Outcome } from "#domain/outcome.ts";
import { retryDelayMs } from "#domain/retry.ts";
import { hasFallback, type Leaf } from "#domain/routing.ts";
import { leafStates, type LeafProgress, type Progress } from "#pipeline/progress.ts";
import type { Providers } from "#pipeline/providers.ts";
import { render, type RenderHouse } from "#pipeline/render.ts";
import { type Person, type Way, wayOf, type Work } from "#pipeline/route.ts";
import type { Tally } from "#pipeline/tally.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Provider } from "#ports/provider.ts";
import type { Tracer } from "#ports/tracer.ts";

export type DeliverHouse = RenderHouse & {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly providers: Providers;
  readonly tally: Tally;
  /** What happens to an unknown outcome when the sender did not say. */
  readonly onUnknown: "retry" | "hold";
  /** Absent when nobody listens to traces. */
  readonly tracer?: Tracer | undefined;
};

/** What one try of one leaf changes. */
export type Tried = {
  readonly leaf: LeafProgress;
  readonly events: readonly NewEvent[];
  readonly patch: Omit<MessagePatch, "id"> | null;
  readonly puts: readonly DocumentPut[];
};

/** What a try is bound by. */
export type Bounds = {
  /** Asked at the last moment before a provider is called. */
  readonly mayGo: () => boolean;
  /** Nothing is tried from then on: the deadline of what is dropped when late. `Infinity` without one. Unix epoch ms. */
  readonly endMs: number;
  /** The span that the call of a provider is a part of; null when it is not traced. */
  readonly trace: string | null;
};

/** @returns "withdrawn" when the provider was not called because `mayGo` said no: a no, a deadline, a lost lease. */
export async function tryLeaf(
  house: DeliverHouse,
  work: Work,
  person: Person,
  progress: Progress,
  leaf: Leaf,
  before: LeafProgress,
  bounds: Bounds,
): Promise<Tried | "withdrawn"> {
  const way = wayOf(leaf, work.plan, person, house.providers);
  if (way.kind === "closed") {
    const { reason, rule } = way;
    return only({ ...before, state: "skipped", reason, rule, error: rule });
  }
  const provider = way.providers[before.provider];
  if (provider === undefined) return only({ ...before, state: "failed", reason: "PROVIDER_ERROR" });
  const words = render(work, person, { channel: way.channel, provider: provider.key }, house);
  if (!words.ok) {
    const error = `could not be rendered for ${way.channel}: ${words.problem}`;
    return only({ ...before, state: "failed", reason: "FAILED", error, rule: error });
  }
  const span =
    bounds.trace === null
      ? null
      : house.tracer?.begin({
          name: `send ${provider.key}`,
          kind: "client",
          parent: bounds.trace,
          links: [],
          attributes: { "tidings.message": work.record.id, "tidings.channel": way.channel },
        });
  const passed = await house.providers.gate(provider, words.content).pass({
    envelope: {
      messageId: work.record.id,
      attempt: before.attempts + 1,
      acceptedMs: work.plan.acceptedMs,
      traceparent: span?.traceparent ?? work.plan.traceparent,
      content: words.content,
    },
    lane: work.plan.lane,
    mayGo: bounds.mayGo,
    standings: person.standings,
  });
  span?.end(passed.kind === "sent" ? {} : { error: passed.kind });
  if (passed.kind === "withdrawn") return "withdrawn";
  const since =
    passed.kind === "later" && passed.isPace === true ? paced(before, passed.atMs - house.clock.nowMs()) : before;
  const judge = new Judge(house, work, person, progress, leaf, since, way, provider, bounds.endMs);
  if (passed.kind === "later") return only(judge.wait(passed.atMs, passed.reason, before.attempts));
  house.tally.tried(way.channel, provider.key, passed.kind);
  const rendered = judge.event("message.rendered", { title: words.rendered.title });
  const tried = judge.judge(passed);
  return passed.kind === "sent" ? { ...tried, events: [rendered, ...tried.events] } : tried;
}

/** Waiting for our own pace takes nothing of the patience with provider and channel. */
function paced(leaf: LeafProgress, waitMs: number): LeafProgress {
  return { ...leaf, sinceMs: leaf.sinceMs + waitMs, providerSinceMs: leaf.providerSinceMs + waitMs };
}

function only(leaf: LeafProgress): Tried {
  return { leaf, events: [], patch: null, puts: [] };
}

/** What an outcome means for the way it was tried on. */
class Judge {
  readonly #house: DeliverHouse;
  readonly #work: Work;
  readonly #person: Person;
  readonly #progress: Progress;
  readonly #leaf: Leaf;
  readonly #before: LeafProgress;
  readonly #way: Way & { kind: "open" };
  readonly #provider: Provider;
  readonly #endMs: number;
  readonly #nowMs: number;

  constructor(
    house: DeliverHouse,
    work: Work,
    person: Person,
    progress: Progress,
    leaf: Leaf,
    before: LeafProgress,
    way: Way & { kind: "open" },
    provider: Provider,
    endMs: number,
  ) {
    this.#house = house;
    this.#work = work;
    this.#person = person;
    this.#progress = progress;
    this.#leaf = leaf;
    this.#before = before;
    this.#way = way;
    this.#provider = provider;
    this.#endMs = endMs;
    this.#nowMs = house.clock.nowMs();
  }

  judge(outcome: Outcome): Tried {
    const attempts = this.#before.attempts + 1;
    switch (outcome.kind) {
      case "sent":
        return {
          leaf: { ...this.#before, state: "sent", attempts, error: null },
          events: [this.event("message.sent", { attempt: attempts, reference: outcome.reference })],
          patch: {
            status: "SENT",
            channel: this.#way.channel,
            provider: this.#provider.key,
            sentMs: this.#nowMs,
            reason: null,
            error: null,
          },
          puts: [],
        };
      case "refused":
        return this.#refused(outcome, attempts);
      case "retry": {
        const delayMs = Math.max(outcome.afterMs ?? 0, retryDelayMs(attempts, this.#house.dice.next()));
        return this.#again(this.#nowMs + delayMs, outcome.reason, attempts, "message.retrying");
      }
      case "policy":
        // The provider refuses us, not this message: no attempt of its own is counted.
        return this.#again(this.#nowMs + outcome.pauseMs, outcome.reason, this.#before.attempts, "message.retrying");
      case "unknown":
        return this.#unknown(outcome.reason, attempts);
      default:
        return unreachable(outcome);
    }
  }

  event(type: string, data: JsonObject): NewEvent {
    const { record, plan } = this.#work;
    const by = { channel: this.#way.channel, provider: this.#provider.key };
    return newEvent(type, record.id, this.#nowMs, { ...by, ...data }, plan.traceparent);
  }

  /** Not now. When patience with this provider, channel or message is over, the next one, or the end. */
  wait(atMs: number, error: string, attempts: number): LeafProgress {
    const { plan } = this.#work;
    const waiting = { ...this.#before, attempts, nextMs: atMs, error };
    if (this.#nowMs - this.#progress.startMs >= messagePatienceMs(plan.message.timeout)) return exhausted(waiting);
    // A try that would come too late is none: what else there is has to be tried now.
    const tooLate = atMs >= this.#endMs;
    const spent = tooLate || this.#nowMs - this.#before.providerSinceMs >= this.#providerPatienceMs();
    if (spent && this.#before.provider + 1 < this.#way.providers.length) return this.#nextProvider(waiting);
    const channelSpent = this.#nowMs - this.#before.sinceMs >= this.#channelPatienceMs();
    const lastProvider = this.#before.provider + 1 >= this.#way.providers.length;
    if (((spent && lastProvider) || channelSpent) && this.#hasFallback()) {
      return exhausted(waiting, tooLate ? NO_TIME_LEFT : undefined);
    }
    return waiting;
  }

  /** A way that is closed to this person is none: for its sake nothing is given up. */
  #hasFallback(): boolean {
    const { plan } = this.#work;
    const known = leafStates(this.#progress);
    return hasFallback(plan.tree, this.#leaf.index, (index) => {
      const leaf = plan.leaves[index];
      const closed = leaf !== undefined && wayOf(leaf, plan, this.#person, this.#house.providers).kind === "closed";
      return closed && known(index) === "open" ? "skipped" : known(index);
    });
  }

  #again(atMs: number, reason: string, attempts: number, type: string): Tried {
    const leaf = this.wait(atMs, reason, attempts);
    const comes = leaf.state === "open" && leaf.nextMs < this.#endMs;
    const data = { reason, attempt: attempts, ...(comes ? { nextMs: leaf.nextMs } : {}) };
    return { leaf, events: [this.event(type, data)], patch: null, puts: [] };
  }

  #unknown(reason: string, attempts: number): Tried {
    const then = this.#work.plan.message.timeout?.unknown ?? this.#house.onUnknown;
    if (then === "retry") {
      const atMs = this.#nowMs + retryDelayMs(attempts, this.#house.dice.next());
      return this.#again(atMs, `unknown whether it arrived: ${reason}`, attempts, "message.unknown");
    }
    const error = `unknown whether it arrived: ${reason}; held until someone decides`;
    return {
      leaf: {
        ...this.#before,
        state: "held",
        attempts,
        reason: "PROVIDER_ERROR",
        error,
        rule: "timeout.unknown = hold",
      },
      events: [this.event("message.unknown", { reason, then, attempt: attempts })],
      patch: null,
      puts: [],
    };
  }

  #refused(outcome: Outcome & { kind: "refused" }, attempts: number): Tried {
    const refused: LeafProgress = {
      ...this.#before,
      attempts,
      reason: outcome.bounce === "hard" ? "BOUNCED" : "PROVIDER_ERROR",
      error: outcome.reason,
      rule: `${this.#provider.key} refused it`,
    };
    const events = [
      this.event("message.refused", { reason: outcome.reason, attempt: attempts, bounce: outcome.bounce ?? "" }),
    ];
    // An address that does not exist does not exist for the next provider either.
    if (outcome.bounce === "hard") {
      const suppression = this.#suppression(outcome.reason);
      return {
        leaf: { ...refused, state: "failed" },
        events: [...events, ...suppression.events],
        patch: null,
        puts: suppression.puts,
      };
    }
    const more = this.#before.provider + 1 < this.#way.providers.length;
    return {
      leaf: more ? this.#nextProvider(refused) : { ...refused, state: "failed" },
      events,
      patch: null,
      puts: [],
    };
  }

  #nextProvider(leaf: LeafProgress): LeafProgress {
    return { ...leaf, provider: leaf.provider + 1, attempts: 0, providerSinceMs: this.#nowMs, nextMs: 0 };
  }

  #address(): string | null {
    const { channel } = this.#way;
    const address = channel === "email" ? this.#person.profile["email"] : this.#person.profile["phone_number"];
    return (channel === "email" || channel === "sms") && typeof address === "string" ? address : null;
  }

  #suppression(detail: string): { readonly puts: readonly DocumentPut[]; readonly events: readonly NewEvent[] } {
    const address = this.#address();
    if (address === null) return { puts: [], events: [] };
    const { record, plan } = this.#work;
    const { put, event } = suppressionEffects(
      { channel: this.#way.channel, address, reason: "hard_bounce", detail, messageId: record.id },
      this.#nowMs,
      plan.traceparent,
    );
    return { puts: [put], events: [event] };
  }

  #providerPatienceMs(): number {
    const { timeout, channels, providers } = this.#work.plan.message;
    return (
      providers?.[this.#provider.key]?.timeouts ??
      channels?.[this.#way.channel]?.timeouts?.provider ??
      patience(timeout?.provider, this.#provider.key) ??
      PROVIDER_TIMEOUT_MS
    );
  }

  #channelPatienceMs(): number {
    const { timeout, channels } = this.#work.plan.message;
    const options = channels?.[this.#way.channel];
    return (
      options?.timeouts?.channel ??
      options?.timeout ??
      patience(timeout?.channel, this.#way.channel) ??
      CHANNEL_TIMEOUT_MS
    );
  }
}

function messagePatienceMs(timeout: { readonly message?: number } | undefined): number {
  return timeout?.message ?? MESSAGE_TIMEOUT_MS;
}

function patience(given: number | Readonly<Record<string, number>> | undefined, key: string): number | undefined {
  return typeof given === "number" ? given : given?.[key];
}

const NO_TIME_LEFT = "the next try would come after the deadline";

function exhausted(leaf: LeafProgress, rule = "the time for trying is over (timeout)"): LeafProgress {
  const error = `gave up after ${leaf.attempts} tries; the last: ${leaf.error ?? "no answer"}`;
  return {
    ...leaf,
    state: "failed",
    reason: "PROVIDER_ERROR",
    error,
    rule,
    exhausted: true,
  };
}

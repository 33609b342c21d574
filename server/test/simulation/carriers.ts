import type { Outcome } from "#domain/outcome.ts";
import type { Clock } from "#ports/clock.ts";
import type { Envelope } from "#ports/provider.ts";
import { ScriptedProvider } from "../support/world.ts";
import type { Kind } from "./coverage.ts";
import { type Ledger, wishOf } from "./ledger.ts";
import type { Machine } from "./machine.ts";

/** Longest answer of a provider: longer than a lease of 30 s. */
const STALL_MS_MAX = 50_000;
const SLOW_MS_MAX = 3_000;
/**
 * Calls that a provider that is down may see: the breaker opens after eight failures, when ten more may be under way;
 * then one at a time, each after at least half a second of rest. A process that begins anew has to learn it anew.
 */
const CALLS_BEFORE_REST_MAX = 18;
const REST_MS_MIN = 500;

/** A provider that answers nothing but failures, or nothing at all, for a while. */
type Outage = {
  readonly kind: "down" | "silent";
  readonly fromMs: number;
  readonly untilMs: number;
  calls: number;
  lives: number;
};

/** The outside: two providers for mail and one for SMS, and what they do to us. */
export class Carriers {
  readonly all = [
    new ScriptedProvider("smtp"),
    new ScriptedProvider("backup"),
    new ScriptedProvider("texts", ["sms"]),
  ] as const;
  readonly #machine: Machine;
  readonly #ledger: Ledger;
  readonly #clock: () => Clock;
  readonly #hasBlob: (id: string) => Promise<boolean>;
  readonly #outages = new Map<string, Outage>();

  constructor(machine: Machine, ledger: Ledger, clock: () => Clock, hasBlob: (id: string) => Promise<boolean>) {
    this.#machine = machine;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#hasBlob = hasBlob;
    for (const provider of this.all) provider.answer = (envelope) => this.#answer(provider.key, envelope);
  }

  fails(key: string, kind: Outage["kind"], ms: number): void {
    const fromMs = this.#machine.nowMs;
    this.#machine.counts.add(kind === "down" ? "provider.outage" : "provider.silence");
    this.#outages.set(key, { kind, fromMs, untilMs: fromMs + ms, calls: 0, lives: 1 });
  }

  /** A new process knows nothing of who rests. */
  reborn(): void {
    for (const outage of this.#outages.values()) outage.lives += 1;
  }

  async #answer(key: string, envelope: Envelope): Promise<Outcome> {
    const call = this.#ledger.call(key, envelope, this.#clock());
    await this.#attached(envelope);
    const [outcome, sent] = await this.#outcome(key);
    const wish = wishOf(JSON.stringify(envelope.content))?.unknown ?? "retry";
    return this.#ledger.answered(call, outcome, sent, wish, this.#clock());
  }

  async #attached({ messageId, content }: Envelope): Promise<void> {
    if (content.channel !== "email") return;
    for (const { blob } of content.attachments)
      this.#ledger.holds(await this.#hasBlob(blob), `${messageId} is sent without its attachment ${blob}`);
  }

  async #outcome(key: string): Promise<readonly [Outcome, boolean]> {
    const machine = this.#machine;
    if (machine.calm) return [SENT, true];
    const outage = this.#outages.get(key);
    const leftMs = (outage?.untilMs ?? 0) - machine.nowMs;
    if (outage !== undefined && leftMs > 0) {
      if (outage.kind === "silent") await machine.wait(leftMs);
      else this.#hammers(key, outage);
      return [{ kind: "retry", reason: "connection refused", whole: true }, false];
    }
    const [what, stall] = [machine.dice.next(), machine.dice.next()];
    const most = stall < 0.05 ? STALL_MS_MAX : stall < 0.3 ? SLOW_MS_MAX : 0;
    if (most > 0) {
      machine.counts.add(most === STALL_MS_MAX ? "provider.stalled" : "provider.slow");
      await machine.wait(Math.ceil(machine.dice.next() * most));
    }
    const found = OUTCOMES.find(([below]) => what < below);
    if (found === undefined) return [SENT, true];
    const [, kind, outcome, sent] = found;
    machine.counts.add(kind);
    return [outcome, sent];
  }

  #hammers(key: string, outage: Outage): void {
    outage.calls += 1;
    const lastedMs = this.#machine.nowMs - outage.fromMs;
    const most = CALLS_BEFORE_REST_MAX * outage.lives + lastedMs / REST_MS_MIN;
    this.#ledger.holds(outage.calls <= most, `${key} is down and was called ${outage.calls} times in ${lastedMs} ms`);
  }
}

const SENT: Outcome = { kind: "sent", reference: {} };

type Answer = readonly [below: number, kind: Kind, outcome: Outcome, sent: boolean];
/** What a provider says, and whether the words went out, by rising chance; the rest is sent. */
const OUTCOMES: readonly Answer[] = [
  [0.05, "provider.retry", { kind: "retry", reason: "later" }, false],
  [0.1, "provider.down", { kind: "retry", reason: "down", whole: true }, false],
  [0.11, "provider.lie", { kind: "retry", reason: "I have not got it", whole: false }, true],
  [0.14, "provider.unknownSent", { kind: "unknown", reason: "silence after DATA" }, true],
  [0.16, "provider.unknownNotSent", { kind: "unknown", reason: "silence after DATA" }, false],
  [0.19, "provider.refused", { kind: "refused", reason: "554 no" }, false],
  [0.195, "provider.bounced", { kind: "refused", reason: "550 5.1.1 no such user", bounce: "hard" }, false],
  [0.205, "provider.policy", { kind: "policy", reason: "421 slow down", pauseMs: 60_000 }, false],
];

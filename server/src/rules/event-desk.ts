import type { EventAttributes } from "#domain/event.ts";
import type { FaultCode } from "#domain/problem.ts";
import type { Draft } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { invariant } from "#domain/invariant.ts";
import type { Counter } from "#ports/meter.ts";
import type { OnceRecord } from "#ports/store.ts";
import type { Secrets } from "#ports/secrets.ts";
import { eventFlaw } from "#rules/event-limits.ts";
import { journalled, type WholeEvent } from "#rules/journalled.ts";
import { Quarantine, quarantineDraft } from "#rules/quarantine.ts";

/** An event from outside, as every door hands it over. */
export type ForeignEvent = {
  /** With `source` it is what is taken once. Null: it gets one here, and a repetition is another event. */
  readonly id: string | null;
  readonly source: string;
  readonly type: string;
  readonly timeMs: number;
  /** JSON text of any JSON value, as it was given; the door has made sure that it is JSON. */
  readonly data: string;
  readonly subject: string | null;
  /** Its own; null: that of the call. */
  readonly traceparent: string | null;
  readonly attributes: EventAttributes;
  /** For a door whose protocol must tell a repetition: kept with the event. Absent: a repetition is kept like the first. */
  readonly once?: OnceRecord;
};

/** Of the call that brought the events. */
export type EventOrigin = { readonly traceparent: string | null };

export type EventVerdict =
  /** Durable; also when the journal had an event of this source and id already. */
  | { readonly kind: "kept"; readonly id: string }
  /** Nothing of it was kept. `says` is a sentence for its sender. */
  | { readonly kind: "refused"; readonly code: FaultCode; readonly says: string }
  /** Durable, but nobody sees it until somebody releases it. */
  | { readonly kind: "quarantined"; readonly id: string; readonly says: string }
  /** Its `once` was there. */
  | { readonly kind: "repeated"; readonly record: OnceRecord }
  | { readonly kind: "overloaded"; readonly retryAfterMs: number };

type Refused = Extract<EventVerdict, { kind: "refused" }>;
type Taken = Extract<EventVerdict, { kind: "kept" | "quarantined" }>;
type Ready = { readonly kind: "ready"; readonly draft: Draft; readonly verdict: Taken };

export type TogetherVerdict =
  | { readonly kind: "done"; readonly verdicts: readonly Taken[] }
  | (Refused & { readonly index: number })
  | Extract<EventVerdict, { kind: "overloaded" }>;

/** What does not fit its type's schema, and what its source's policy makes of that. */
export type Judgement = { readonly kind: "reject" | "quarantine"; readonly says: string };

export interface SchemaJudge {
  /** Null at once for a type of which nothing is asked: most events wait for nothing here. */
  judge(event: JudgedEvent): Judgement | null | Promise<Judgement | null>;
}
export type JudgedEvent = Pick<ForeignEvent, "source" | "type" | "data" | "attributes">;

export const NO_JUDGE: SchemaJudge = { judge: () => null };

/**
 * The one way by which events from outside come into the journal, whatever door they came through:
 *
 *     limits ▸ schema ──fits──▶ journal (one commit with those beside it, idempotent by source and id)
 *        │        ├──reject──▶ refused
 *        ▼        └──quarantine──▶ kept aside (rules/quarantine.ts) ──release──▶ journal
 *     refused
 */
export class EventDesk {
  /** What was kept aside. */
  readonly quarantine: Quarantine;
  readonly #engine: Engine;
  readonly #secrets: Secrets;
  readonly #judge: SchemaJudge;
  readonly #counters: Readonly<Record<EventVerdict["kind"], Counter>>;

  constructor(engine: Engine, secrets: Secrets, judge: SchemaJudge = NO_JUDGE) {
    this.#engine = engine;
    this.#secrets = secrets;
    this.#judge = judge;
    this.quarantine = new Quarantine(engine);
    const counter = (result: string): Counter =>
      engine.parts.meter.counter("tidings_events_total", "Events that came in from outside, by what became of them.", {
        result,
      });
    this.#counters = {
      kept: counter("kept"),
      refused: counter("refused"),
      quarantined: counter("quarantined"),
      repeated: counter("repeated"),
      overloaded: counter("overloaded"),
    };
  }

  /**
   * Takes events, each for itself: `verdicts[i]` belongs to `events[i]`, and what is kept is durable.
   * @throws {StoreFault} when the store cannot commit now; some of them may have been kept, and repeating is harmless.
   */
  async accept(events: readonly ForeignEvent[], origin: EventOrigin): Promise<readonly EventVerdict[]> {
    const verdicts = await Promise.all(events.map((event) => this.#one(event, origin)));
    for (const { kind } of verdicts) this.#counters[kind].add(1);
    return verdicts;
  }

  /**
   * Takes events in one commit, all or none.
   * @returns the verdicts, or what is wrong with one of them, by its index.
   * @throws {StoreFault} when the store cannot commit now; none was kept.
   */
  async acceptTogether(events: readonly ForeignEvent[], origin: EventOrigin): Promise<TogetherVerdict> {
    const ready: Ready[] = [];
    // One by one: the first that does not fit is told, and those behind it need no look.
    for (const [index, event] of events.entries()) {
      const look = this.#look(event, origin);
      const one = look instanceof Promise ? await look : look;
      if (one.kind === "refused") {
        this.#counters.refused.add(events.length);
        return { ...one, index };
      }
      ready.push(one);
    }
    const drafts = ready.map(({ draft }) => draft);
    const verdict = await this.#engine.submit({
      events: drafts.flatMap((draft) => draft.events ?? []),
      puts: drafts.flatMap((draft) => draft.puts ?? []),
    });
    if (verdict.kind === "overloaded") {
      this.#counters.overloaded.add(events.length);
      return verdict;
    }
    invariant(verdict.kind === "committed", "events rest on nothing that could have changed");
    for (const one of ready) this.#counters[one.verdict.kind].add(1);
    return { kind: "done", verdicts: ready.map((one) => one.verdict) };
  }

  /**
   * An event to be committed together with something else, by whoever asks: limits and schema are looked at as at every door.
   */
  async draft(event: Omit<ForeignEvent, "once">, origin: EventOrigin): Promise<Ready | Refused> {
    return await this.#look(event, origin);
  }

  async #one(event: ForeignEvent, origin: EventOrigin): Promise<EventVerdict> {
    const look = this.#look(event, origin);
    const one = look instanceof Promise ? await look : look;
    if (one.kind === "refused") return one;
    const verdict = await this.#engine.submit(
      event.once === undefined ? one.draft : { ...one.draft, once: event.once },
    );
    if (verdict.kind === "overloaded" || verdict.kind === "repeated") return verdict;
    invariant(verdict.kind === "committed", "an event rests on nothing that could have changed");
    return one.verdict;
  }

  /** What is to become of an event; at once, unless its schema must be looked up first. */
  #look(given: ForeignEvent, origin: EventOrigin): Ready | Refused | Promise<Ready | Refused> {
    const flaw = eventFlaw(given, this.#engine.parts.clock.nowMs());
    if (flaw !== null) return { kind: "refused", ...flaw };
    const { once: _, ...rest } = given;
    const event = { ...rest, id: given.id ?? this.newId(), traceparent: given.traceparent ?? origin.traceparent };
    const judgement = this.#judge.judge(event);
    return judgement instanceof Promise
      ? judgement.then((one) => this.#become(event, one))
      : this.#become(event, judgement);
  }

  #become(event: WholeEvent, judgement: Judgement | null): Ready | Refused {
    const { id } = event;
    if (judgement === null) {
      return { kind: "ready", draft: { events: [journalled(event)] }, verdict: { kind: "kept", id } };
    }
    const { says } = judgement;
    if (judgement.kind === "reject") return { kind: "refused", code: "event.unfit", says };
    const nowMs = this.#engine.parts.clock.nowMs();
    const draft = quarantineDraft(event, says, nowMs, (text) => this.#secrets.digest(text));
    return { kind: "ready", draft, verdict: { kind: "quarantined", id, says } };
  }

  /** A UUID of version 4 (RFC 9562 §5.4). */
  newId(): string {
    const hex = this.#engine.parts.dice.hex(16);
    const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}

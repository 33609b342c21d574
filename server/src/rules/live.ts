/**
 * The matcher: the consumer `rules` of the journal. Which rules see an event is decided by its place in the journal.
 *
 *     events ──▶ rule.changed, archive.changed …: the live set changes for the events behind
 *        └─────▶ match ──▶ effects of every target ─┐
 *                  └── bus targets: match there ──┘ ├──▶ one commit with the checkpoint and the live set's documents
 *                  └── archives: a copy ────────────┘
 *
 * The live set lies in documents that move with the checkpoint, so whoever takes over begins with what was committed. A
 * commit has a bounded number of effects: what is behind is read again, and an event that alone has more goes on in the next
 * one, by a cursor.
 */
import { OWN_SOURCE, type Position, type RecordedEvent } from "#domain/event.ts";
import { type Consumer, deadEvent, type HandledPart, partitionKey, startConsumer } from "#engine/consumer.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { LOOK_AGAIN_MS } from "#engine/limits.ts";
import { sleep } from "#engine/sleep.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import { invariant } from "#domain/invariant.ts";
import type { DeadJob } from "#domain/job.ts";
import { archivePuts } from "#rules/archive-copy.ts";
import { LIVE, LIVE_TYPES } from "#rules/collections.ts";
import { EventView } from "#rules/event-view.ts";
import { Gathered } from "#rules/gathered.ts";
import { MATCH_BYTES_MAX, MATCH_EVENTS_MAX, MATCH_JOBS_MAX } from "#rules/limits.ts";
import { CURSOR_ID, HELD_ID, type HeldBack, LiveSet } from "#rules/live-set.ts";
import { changeOf, type LiveRule, type LiveTarget, type LiveThing } from "#rules/live-thing.ts";
import type { RuleMeters } from "#rules/rule-meters.ts";
import type { TargetKind } from "#rules/target-kind.ts";
import { callOf, shareOfRule, TARGET_QUEUE, targetJob } from "#rules/target-job.ts";
import type { TargetCarry } from "#rules/target-stage.ts";

/** Name of the matcher among the readers of the journal. */
export const RULES_CONSUMER = "rules";

export type MatcherHouse = {
  readonly engine: Engine;
  readonly kinds: readonly TargetKind[];
  /** Works the jobs of targets that need work. */
  readonly targets: StageRunner<TargetCarry>;
  readonly meters: RuleMeters;
  /** Of events that brought none. */
  readonly region: string;
};

export class Matcher {
  readonly #house: MatcherHouse;
  #set: LiveSet | null = null;
  /** Everything up to here has been handled by the set as it is. */
  #upTo: Position = 0;
  #started: Promise<void> | null = null;

  constructor(house: MatcherHouse) {
    this.#house = house;
  }

  /**
   * Resolves when the matcher reads the journal, from here on if it is new: what is committed now is seen by it.
   * @throws {StoreFault} when the store cannot answer now; it may be tried again.
   */
  ready(): Promise<void> {
    this.#started ??= this.#start().catch((fault: unknown) => {
      this.#started = null;
      throw fault;
    });
    return this.#started;
  }

  /**
   * Starts the matcher if it was ever started in this house; otherwise nothing reads the journal. Then, where other nodes
   * share the store, looks now and then whether one of them has begun.
   */
  async open(): Promise<void> {
    if (await this.#startKnown()) return;
    if (this.#house.engine.parts.store.can.manyNodes) void this.#watch();
  }

  async #start(): Promise<void> {
    const { engine } = this.#house;
    const key = partitionKey(this.#consumer, 0);
    const [state = null] = await engine.parts.store.jobs([key]);
    if (state?.state === "parked") await this.#goOnAfterRestore(key);
    await startConsumer(engine, this.#consumer);
  }

  /**
   * In a restored house all jobs are held back, but new events must be matched. Those that the backup had not yet matched may
   * have been given to their targets after it was made: they become dead letters, about which somebody decides.
   */
  async #goOnAfterRestore(key: string): Promise<void> {
    const { engine } = this.#house;
    const { last } = await engine.parts.store.journalBounds();
    const body = JSON.stringify({ upTo: last } satisfies HeldBack);
    const nowMs = engine.parts.clock.nowMs();
    await engine.commit({ unpark: key, puts: [{ collection: LIVE, id: HELD_ID, body, when: "always", nowMs }] });
  }

  async #startKnown(): Promise<boolean> {
    const known = await this.#house.engine.parts.store.checkpoints(RULES_CONSUMER);
    if (known.length > 0) await this.ready();
    return known.length > 0;
  }

  async #watch(): Promise<void> {
    const { signal, parts } = this.#house.engine;
    const { clock, log } = parts;
    while (!signal.aborted && this.#started === null) {
      await sleep(clock, LOOK_AGAIN_MS, signal);
      if (signal.aborted) return;
      try {
        if (await this.#startKnown()) return;
      } catch (fault) {
        log.warn("It could not be asked whether there are rules; asking again", { error: errorText(fault) });
      }
    }
  }

  get #consumer(): Consumer {
    return {
      name: RULES_CONSUMER,
      startFrom: "latest",
      batchMax: MATCH_EVENTS_MAX,
      partitions: 1,
      // What throws here is a bug, and the same again at the next try: nobody else should wait for it.
      attemptsMax: 1,
      ageMaxMs: null,
      bisect: true,
      ownTypes: () => (this.#set?.watchesOwn === true ? null : LIVE_TYPES),
      begin: async (_, position) => {
        this.#upTo = position;
        this.#set = await this.#load();
      },
      handle: (events) => this.#handle(events),
      redrive: (event) => this.#redrive(event),
    };
  }

  async #handle(events: readonly RecordedEvent[]): Promise<DraftEffects | HandledPart> {
    // After a failure, memory may be ahead of what was committed.
    const set = (this.#set ??= await this.#load());
    const committed = this.#upTo;
    try {
      return this.#run(set, events);
    } catch (thrown) {
      this.#set = null;
      this.#upTo = committed;
      throw thrown;
    }
  }

  #run(set: LiveSet, events: readonly RecordedEvent[]): DraftEffects | HandledPart {
    const gathered = new Gathered();
    for (const [index, event] of events.entries()) {
      invariant(event.position > this.#upTo, "an event is handled once");
      const watchedOwn = set.watchesOwn;
      if (isChange(event)) this.#change(set, event, gathered);
      const left = this.#deliver(set, event, gathered);
      // Not done: nothing behind it is begun, and it is read again.
      this.#upTo = left ? event.position - 1 : event.position;
      const isCut = left || isFull(gathered) || (set.watchesOwn && !watchedOwn);
      if (isCut && (left || index < events.length - 1)) return { upTo: this.#upTo, effects: gathered.effects };
      // Behind the last one, events of ours may have been passed over.
      if (set.watchesOwn && !watchedOwn) return { upTo: this.#upTo, effects: gathered.effects };
    }
    return gathered.effects;
  }

  #change(set: LiveSet, event: RecordedEvent, gathered: Gathered): void {
    const { id, thing } = changeOf(event, this.#house.region);
    const key = { collection: LIVE, id };
    const nowMs = this.#house.engine.parts.clock.nowMs();
    if (thing !== null) gathered.put({ ...key, body: event.data, when: "always", nowMs });
    else if (set.has(id)) gathered.delete(key);
    set.put(id, thing);
  }

  /** @returns whether something is left of this event, for which there was no room. */
  #deliver(set: LiveSet, event: RecordedEvent, gathered: Gathered): boolean {
    if (event.attributes === null && event.source !== OWN_SOURCE && !set.watchesDefault) return false;
    const view = new EventView(event, this.#house.region);
    const steps = matched(set, view);
    if (this.#isHeldBack(set, event, gathered)) {
      if (steps.length > 0) gathered.add({ buried: [this.#held(event)] });
      return false;
    }
    const cursor = set.cursor?.position === event.position ? set.cursor : null;
    const nowMs = this.#house.engine.parts.clock.nowMs();
    let done = cursor?.done ?? 0;
    while (done < steps.length && !isFull(gathered)) {
      const step = steps[done];
      if (step !== undefined) this.#do(step, view, nowMs, set, gathered);
      done += 1;
    }
    const isLeft = done < steps.length;
    if (isLeft) {
      set.cursor = { position: event.position, done };
      const body = JSON.stringify(set.cursor);
      gathered.put({ collection: LIVE, id: CURSOR_ID, body, when: "always", nowMs });
    } else if (set.cursor !== null) {
      set.cursor = null;
      gathered.delete({ collection: LIVE, id: CURSOR_ID });
    }
    return isLeft;
  }

  #isHeldBack(set: LiveSet, { position }: RecordedEvent, gathered: Gathered): boolean {
    if (set.heldBack === null) return false;
    if (position <= set.heldBack.upTo) return true;
    set.heldBack = null;
    gathered.delete({ collection: LIVE, id: HELD_ID });
    return false;
  }

  #held(event: RecordedEvent): DeadJob {
    const deadMs = this.#house.engine.parts.clock.nowMs();
    return deadEvent(RULES_CONSUMER, event, { error: HELD_BACK, attempts: 0, deadMs });
  }

  #do(step: Step, view: EventView, nowMs: number, set: LiveSet, gathered: Gathered): void {
    if (step.kind === "archive") {
      for (const put of archivePuts(step.archive, view, nowMs, set)) gathered.put(put);
      return;
    }
    if (step.kind === "matched") {
      this.#house.meters.matched(step.rule);
      return;
    }
    const { rule, target } = step;
    const call = callOf(rule, target, view, nowMs);
    const atOnce = this.#kindOf(call.target.arn)?.atOnce?.(call) ?? null;
    if (atOnce === null) {
      const turn = this.#house.engine.turn(TARGET_QUEUE, "transactional", shareOfRule(rule));
      gathered.job(this.#house.targets.offer(targetJob(call, turn), { call }));
    } else {
      gathered.add(atOnce);
      this.#house.meters.delivered(call.rule);
    }
  }

  #kindOf(arn: string): TargetKind | undefined {
    return this.#house.kinds.find((kind) => kind.takes(arn));
  }

  /** Somebody wants it tried again: by the rules of now, since those of its place are gone. */
  async #redrive(event: RecordedEvent): Promise<DraftEffects> {
    const set = this.#set ?? (await this.#load());
    const gathered = new Gathered();
    const view = new EventView(event, this.#house.region);
    const nowMs = this.#house.engine.parts.clock.nowMs();
    for (const step of matched(set, view)) {
      if (step.kind === "target") this.#do(step, view, nowMs, set, gathered);
    }
    return gathered.effects;
  }

  /** A store that cannot answer now says nothing about any event: asked until it can, or until we stop. */
  async #load(): Promise<LiveSet> {
    const { parts, signal } = this.#house.engine;
    for (;;) {
      try {
        return await LiveSet.load(parts.store, parts.log, this.#house.region);
      } catch (fault) {
        if (signal.aborted) throw fault;
        parts.log.error("The rules cannot be read; trying again", { error: errorText(fault) });
        await sleep(parts.clock, LOOK_AGAIN_MS, signal);
      }
    }
  }
}

const HELD_BACK = "held back by the restore: its targets may have got it after the backup was made";

type Step =
  | { readonly kind: "matched"; readonly rule: LiveRule }
  | { readonly kind: "target"; readonly rule: LiveRule; readonly target: LiveTarget }
  | { readonly kind: "archive"; readonly archive: Extract<LiveThing, { kind: "archive" }>["archive"] };

/** All that is to be done for an event, in an order that depends on the live set alone. Each bus sees it once: no loops. */
function matched(set: LiveSet, view: EventView): readonly Step[] {
  const steps: Step[] = [];
  const { replay, replayTo } = view.attributes;
  const buses = [view.bus];
  for (const [place, bus] of buses.entries()) {
    for (const thing of set.match(bus, view)) {
      if (thing.kind === "archive") {
        if (replay === undefined) steps.push({ kind: "archive", archive: thing.archive });
        continue;
      }
      const { rule } = thing;
      if (place === 0 && replayTo !== undefined && !replayTo.includes(rule.name)) continue;
      steps.push({ kind: "matched", rule });
      for (const target of rule.targets) {
        if (target.bus === null) steps.push({ kind: "target", rule, target });
        else if (!buses.includes(target.bus)) buses.push(target.bus);
      }
    }
  }
  return steps;
}

function isChange(event: RecordedEvent): boolean {
  return event.source === OWN_SOURCE && LIVE_TYPES.includes(event.type);
}

function isFull({ rows, chars }: Gathered): boolean {
  return rows >= MATCH_JOBS_MAX || chars >= MATCH_BYTES_MAX;
}

/**
 * A managed rule on the function's bus gives each matching event to the function, as a job of its own, in the commit of the
 * matcher:
 *
 *     event ──rule `fn.NAME`──▶ job of the queue `function:NAME` ──▶ one call (one-job.ts)
 *
 * So a function hears every event behind the commit of its rule, also those that came while nothing of it ran.
 */
import { arnText, parseArn } from "#domain/arn.ts";
import type { NewJob } from "#domain/job.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import { targetInput } from "#functions/event-input.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { oneJobStage, type Tried } from "#functions/feeders/one-job.ts";
import type { Invoker } from "#functions/invoker.ts";
import { STOP_GRACE_MS } from "#functions/limits.ts";
import { patternFlaw } from "#functions/pattern.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import type { RuleDesk } from "#rules/desk.ts";
import type { TargetCall, TargetKind } from "#rules/target-kind.ts";

/** Queues of events for functions begin so; behind it comes the function's name. */
export const EVENT_QUEUE = "function:";
/** Who manages the rules of functions. */
const MANAGER = "functions";
const RULE_PREFIX = "fn.";
const PAGE = 200;
/** The usual of rules: what cannot be laid into a queue is tried again for a day. */
const RETRY = { attemptsMax: 185, ageMaxMs: 24 * 60 * 60 * 1_000 } as const;

type Payload = Tried & { readonly id: string; readonly input: string };

/** A function as a rule's target: its job is there in the commit of the matcher, exactly once. */
export function functionTarget(engine: Engine): TargetKind {
  const effectsOf = (call: TargetCall): DraftEffects => ({ jobs: [{ job: eventJob(engine, call), hand: null }] });
  return {
    takes: (arn) => parseArn(arn)?.kind === "function",
    check: () => null,
    atOnce: effectsOf,
    deliver: (call) => Promise.resolve({ kind: "done", effects: effectsOf(call) }),
  };
}

function eventJob(engine: Engine, call: TargetCall): NewJob {
  const arn = parseArn(call.target.arn);
  const queue = EVENT_QUEUE + (arn?.kind === "function" ? arn.name : "");
  return {
    key: `${queue}/${call.key}`,
    queue,
    lane: "transactional",
    turn: engine.turn(queue, "transactional", ""),
    dueMs: 0,
    payload: JSON.stringify({ id: call.event.id, input: targetInput(call) } satisfies Payload),
    traceparent: call.event.traceparent,
  };
}

export function eventFeeder(engine: Engine, rules: () => RuleDesk, invoker: Invoker): Feeder {
  return {
    kind: "event",
    faultOf: ({ on }) => (on.kind === "event" ? patternFlaw(on.pattern) : null),
    start: async (declared) => {
      // First what may fail: a queue has one stage, and a start that failed is tried again.
      await putRule(rules(), declared);
      return new EventFeed(engine, invoker, declared);
    },
  };
}

class EventFeed implements Feed {
  readonly #engine: Engine;
  readonly #runner: StageRunner<never>;
  #declared: DeclaredFunction;

  constructor(engine: Engine, invoker: Invoker, declared: DeclaredFunction) {
    this.#engine = engine;
    this.#declared = declared;
    const queue = EVENT_QUEUE + declared.name;
    this.#runner = engine.addStage(
      oneJobStage<Payload>(engine, invoker, {
        queue,
        declared: () => this.#declared,
        call: (job, { input }) => ({ key: job.key, input }),
        done: () => ({ end: { kind: "done" }, effects: {} }),
        gaveUp: (_job, _payload, error) => ({ end: { kind: "dead", error }, effects: {} }),
      }),
    );
  }

  async stop(): Promise<void> {
    await this.#engine.removeStage(this.#runner, STOP_GRACE_MS);
  }

  update(declared: DeclaredFunction): void {
    this.#declared = declared;
  }
}

/** @throws {Error} with a sentence when the rules do not take it. */
async function putRule(rules: RuleDesk, { name, file, on }: DeclaredFunction): Promise<void> {
  if (on.kind !== "event") throw new Error(`broken invariant: an event was declared as ${on.kind}`);
  const { bus, pattern } = on;
  const known = await rules.buses.describe(bus);
  if (known.kind === "fault" && known.code === "unknown") {
    const made = await rules.buses.create({ name: bus, description: null, tags: {} });
    // Another node may have been faster.
    if (made.kind === "fault" && made.code !== "exists")
      throw new Error(`The bus ${bus} cannot be made: ${made.message}`);
  }
  const arn = arnText({ kind: "function", name }, "");
  const target = {
    ...{
      id: "function",
      arn,
      input: { kind: "event" as const },
      retry: RETRY,
      deadLetterArn: null,
      messageGroupId: null,
    },
    ...{ asPut: { Id: "function", Arn: arn }, asWritten: null },
  };
  const wish = {
    ...{ bus, name: RULE_PREFIX + name, pattern: JSON.stringify(pattern), schedule: null, state: "ENABLED" as const },
    ...{ description: `Gives events to the function ${name} (${file}).`, roleArn: null, tags: null, targets: [target] },
  };
  const put = await rules.rules.putWhole(wish, { as: MANAGER });
  if (put.kind === "fault") throw new Error(`Its rule cannot be put: ${put.message}`);
  if (put.kind !== "done") throw new Error("Its rule cannot be put now: too much waits to be stored.");
}

/**
 * Takes away the rules of functions that are not there any more, or listen on another bus.
 * @param faulty names of files that could not be read, and may be functions that listen.
 */
export async function forgetEventRules(
  rules: RuleDesk,
  declared: readonly DeclaredFunction[],
  faulty: readonly string[],
): Promise<void> {
  const spared = new Set(faulty.map((name) => RULE_PREFIX + name));
  const wanted = new Set(
    declared.flatMap(({ name, on }) => (on.kind === "event" ? [`${on.bus}/${RULE_PREFIX}${name}`] : [])),
  );
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<RuleDesk["rules"]["listAll"]>> = await rules.rules.listAll({
      prefix: null,
      after,
      limit: PAGE,
    });
    for (const { bus, name, managedBy } of page.items) {
      if (managedBy !== MANAGER || !name.startsWith(RULE_PREFIX) || wanted.has(`${bus}/${name}`) || spared.has(name))
        continue;
      await rules.rules.remove({ bus, name }, true, { as: MANAGER });
    }
    if (page.next === null) return;
    after = page.next;
  }
}

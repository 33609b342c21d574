import { parseArn } from "#domain/arn.ts";
import type { Engine } from "#engine/engine.ts";
import type { Secrets } from "#ports/secrets.ts";
import { keepArchives } from "#rules/archive-keeping.ts";
import { Archives } from "#rules/archives.ts";
import { Buses } from "#rules/buses.ts";
import type { RuleDesk } from "#rules/desk.ts";
import { compileInput } from "#rules/input.ts";
import { Matcher } from "#rules/live.ts";
import { replayStage } from "#rules/replay-stage.ts";
import { Replays } from "#rules/replays.ts";
import { Rules } from "#rules/rule-book.ts";
import { Loads } from "#rules/rule-loads.ts";
import { RuleMeters } from "#rules/rule-meters.ts";
import type { Target } from "#rules/rule.ts";
import { TagsOf } from "#rules/tags.ts";
import type { TargetKind } from "#rules/target-kind.ts";
import { targetStage } from "#rules/target-stage.ts";
import { busTarget } from "#rules/targets/bus.ts";
import { type Queues, queueTarget } from "#rules/targets/queue.ts";
import { foreignTarget } from "#rules/targets/foreign.ts";
import { Targets } from "#rules/targets.ts";
import { testPattern } from "#rules/test-pattern.ts";

export type RulesHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly queues: Queues;
  /** What a rule may target besides queues and buses. */
  readonly kinds: readonly TargetKind[];
  /** Of ARNs and of events that brought none. */
  readonly region: string;
};

export type OpenRules = {
  readonly desk: RuleDesk;
  /** Begins to match, if this house ever had a rule. After the engine has started. */
  start(): Promise<void>;
  /** Tidies archives until the engine stops. */
  keep(leads: () => boolean): Promise<void>;
};

/** Joins what makes up the rules. */
export function openRules({ engine, secrets, queues, kinds: others, region }: RulesHouse): OpenRules {
  const kinds = [queueTarget(queues, secrets), busTarget, ...others];
  const meters = new RuleMeters(engine.parts.meter);
  const targets = engine.addStage(targetStage({ engine, kinds, queues, secrets, meters, region }));
  engine.addStage(replayStage(engine));
  const matcher = new Matcher({ engine, kinds, targets, meters, region });
  const ready = (): Promise<void> => matcher.ready();
  const checkTarget = (target: Target): string | null => targetFlaw(kinds, target);
  const buses = new Buses(engine);
  const rules = new Rules({ engine, ready, checkTarget });
  return {
    desk: {
      buses,
      rules,
      targets: new Targets(engine, rules, (target) => targetFlaw([...kinds, foreignTarget], target)),
      tags: new TagsOf(buses, rules),
      archives: new Archives(engine, ready),
      replays: new Replays(engine),
      loads: new Loads(engine, meters),
      testPattern,
    },
    start: () => matcher.open(),
    keep: (leads) => keepArchives(engine, leads),
  };
}

/** A sentence when a target can never work; null when it is fine. */
function targetFlaw(kinds: readonly TargetKind[], target: Target): string | null {
  const kind = kinds.find((one) => one.takes(target.arn));
  if (kind === undefined) return `Parameter ${target.arn} is not valid. Reason: Provided Arn is not in correct format.`;
  const input = compileInput(target.input, target.id);
  if (input.kind === "invalid") return input.says;
  if (target.deadLetterArn !== null && parseArn(target.deadLetterArn)?.kind !== "queue") {
    return `Parameter ${target.deadLetterArn} is not valid. Reason: DeadLetterConfig must be an Amazon SQS queue.`;
  }
  return kind.check(target);
}

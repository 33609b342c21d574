import { type Arn, arnText, parseArn } from "#domain/arn.ts";
import type { RecordedEvent } from "#domain/event.ts";
import { ARCHIVE_CHANGED, type ArchiveBody, RULE_CHANGED, ruleId, ruleTitle } from "#rules/collections.ts";
import { compileInput, type FillInput } from "#rules/input.ts";
import type { Rule, Target, TargetInput } from "#rules/rule.ts";

/** What looks at events: a rule that gives them to its targets, or an archive that keeps them. */
export type LiveThing = {
  /** Of its document in `LIVE`; things of one bus are worked in the order of their ids. */
  readonly id: string;
  readonly bus: string;
  /** Null: every event of the bus. */
  readonly pattern: string | null;
} & ({ readonly kind: "rule"; readonly rule: LiveRule } | { readonly kind: "archive"; readonly archive: ArchiveBody });

export type LiveRule = {
  readonly bus: string;
  readonly name: string;
  readonly arn: string;
  readonly targets: readonly LiveTarget[];
};

export type LiveTarget = {
  /** Without what only those who look at it need, because it goes along with every delivery. */
  readonly target: Target;
  readonly fill: FillInput;
  /** The bus that this target is; null: it is something else. */
  readonly bus: string | null;
};

/** A change that an event of ours tells. `thing` null: it does not look at events any more. */
export type LiveChange = { readonly id: string; readonly thing: LiveThing | null };

/** Reads an event of one of the `LIVE_TYPES`, whose data we wrote. */
export function changeOf(event: RecordedEvent, region: string): LiveChange {
  const isArchive = event.type.startsWith("archive.");
  if (isArchive) {
    const archive = JSON.parse(event.data) as ArchiveBody;
    const thing = event.type === ARCHIVE_CHANGED ? archiveThing(archive) : null;
    return { id: archiveThingId(archive.name), thing };
  }
  const rule = JSON.parse(event.data) as Rule;
  return { id: ruleThingId(rule), thing: event.type === RULE_CHANGED ? ruleThing(rule, region) : null };
}

/** Reads what `changeOf` led to, from the document that was put. */
export function thingOf(id: string, body: string, region: string): LiveThing | null {
  if (id.startsWith(ARCHIVE)) return archiveThing(JSON.parse(body) as ArchiveBody);
  return id.startsWith(RULE) ? ruleThing(JSON.parse(body) as Rule, region) : null;
}

export function archiveThingId(name: string): string {
  return ARCHIVE + name;
}

const RULE = "rule:";
const ARCHIVE = "archive:";

function ruleThingId(rule: Pick<Rule, "bus" | "name">): string {
  return RULE + ruleId(rule);
}

function archiveThing(archive: ArchiveBody): LiveThing {
  const { bus, pattern } = archive;
  return { id: archiveThingId(archive.name), kind: "archive", bus, pattern, archive };
}

/** Null when there is nothing for it to do: disabled, without targets, or only a schedule. */
function ruleThing(rule: Rule, region: string): LiveThing | null {
  const { bus, name, pattern, state, targets } = rule;
  if (state !== "ENABLED" || pattern === null || targets.length === 0) return null;
  const arn = arnText({ kind: "rule", bus, name }, region);
  const live: LiveRule = { bus, name, arn, targets: targets.map(liveTarget) };
  return { id: ruleThingId(rule), kind: "rule", bus, pattern, rule: live };
}

function liveTarget(target: Target): LiveTarget {
  const input = compileInput(target.input, target.id);
  const arn = parseArn(target.arn);
  return {
    target: { ...target, input: goesAlong(arn, target.input), asPut: {}, asWritten: null },
    // It was checked when it was put; what a newer version takes no longer gets the whole event.
    fill: input.kind === "input" ? input.fill : (view) => view.text,
    bus: arn?.kind === "bus" ? arn.name : null,
  };
}

/** A template is not needed any more where it is filled in; a webhook asks whether what it gets is the event itself. */
function goesAlong(arn: Arn | null, input: TargetInput): TargetInput {
  return arn?.kind === "webhook" ? input : { kind: "event" };
}

/** For people: `default/welcome`. */
export function titleOf(rule: Pick<LiveRule, "bus" | "name">): string {
  return ruleTitle(rule);
}

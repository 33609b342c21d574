import type { JsonObject } from "#domain/json.ts";
import type { Changes, Origin } from "#engine/change.ts";
import type { OnceRecord } from "#ports/store.ts";
import type { RuleLoads } from "#rules/rule-loads.ts";
import type { Rule, Target } from "#rules/rule.ts";

/**
 * Everything that can be asked about buses, rules, targets, archives and replays, in values. A door puts questions and
 * answers into its own form. Every change is durable when its promise resolves; a change of a rule concerns the events behind
 * it in the journal, and none before.
 *
 * Every method may reject with a `StoreFault` when the store cannot answer now; then nothing was done.
 */
export type RuleDesk = {
  readonly buses: BusDesk;
  readonly rules: RuleBook;
  readonly targets: TargetDesk;
  readonly tags: TagDesk;
  readonly archives: ArchiveDesk;
  readonly replays: ReplayDesk;
  readonly loads: RuleLoads;
  /** Whether a pattern matches an event, both as JSON text (EventBridge's TestEventPattern). */
  testPattern(pattern: string, event: string): Tested;
};

/** How a call ended. Only after `done` has anything been changed. */
export type Done<Value> = { readonly kind: "done"; readonly value: Value } | Undone;

export type Undone =
  | RuleFault
  | { readonly kind: "overloaded"; readonly retryAfterMs: number }
  /** Its Idempotency-Key was used before. */
  | { readonly kind: "repeated"; readonly record: OnceRecord };

/** Why not, in EventBridge's words where it has some. */
export type RuleFault = { readonly kind: "fault"; readonly code: RuleFaultCode; readonly message: string };

export type RuleFaultCode =
  /** ResourceNotFoundException */
  | "unknown"
  /** ResourceAlreadyExistsException */
  | "exists"
  /** InvalidEventPatternException */
  | "pattern"
  /** ValidationException */
  | "invalid"
  /** LimitExceededException */
  | "limit"
  /** ManagedRuleException */
  | "managed"
  /** ConcurrentModificationException */
  | "changed"
  /** IllegalStatusException */
  | "status";

/** Of whom a change comes. `as`: who may change what it manages itself (`Rule.managedBy`); absent: anybody. */
export type By = {
  readonly origin?: Origin;
  readonly as?: string;
  /**
   * Committed together with a change of a rule: what the rule belongs to. Asked again each time that the change is decided
   * anew; a fault refuses both.
   */
  readonly beside?: () => Promise<Changes | RuleFault>;
};

/** Names strictly behind `after` (null: from the first), only those that begin with `prefix`. */
export type PageAsk = { readonly prefix: string | null; readonly after: string | null; readonly limit: number };
/** `next`: what `after` is for the page behind; null at the end. */
export type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null };

export type Tags = Readonly<Record<string, string>>;

export type Bus = {
  readonly name: string;
  readonly description: string | null;
  readonly tags: Tags;
  readonly createdMs: number;
  readonly modifiedMs: number;
};

export interface BusDesk {
  create(
    wish: { readonly name: string; readonly description: string | null; readonly tags: Tags },
    by?: By,
  ): Promise<Done<Bus>>;
  /** `default` and `tidings` exist always. */
  describe(name: string): Promise<Done<Bus>>;
  list(ask: PageAsk): Promise<Page<Bus>>;
  /** Refused while it has rules. */
  remove(name: string, by?: By): Promise<Done<null>>;
}

/** Where a rule is; `bus` is a name, not an ARN. */
export type RuleAt = { readonly bus: string; readonly name: string };

/** What PutRule says; what is null is cleared. */
export type RuleWish = RuleAt & {
  readonly pattern: string | null;
  readonly schedule: string | null;
  readonly state: Rule["state"];
  readonly description: string | null;
  readonly roleArn: string | null;
  /** Null: a new rule has none, one that exists keeps its own. */
  readonly tags: Tags | null;
};

export interface RuleBook {
  /** Creates or replaces a rule; its targets stay. */
  put(wish: RuleWish, by?: By): Promise<Done<Rule>>;
  /**
   * Creates or replaces a rule with all its targets in one step. `changed` is false when it was so already: nothing was
   * written. `only`: says what would happen, and does nothing.
   */
  putWhole(
    wish: RuleWish & { readonly targets: readonly Target[] },
    by?: By & { readonly only?: "try" },
  ): Promise<Done<{ readonly rule: Rule; readonly was: "absent" | "same" | "different" }>>;
  describe(at: RuleAt): Promise<Done<Rule>>;
  /** Of one bus, by name. */
  list(bus: string, ask: PageAsk): Promise<Done<Page<Rule>>>;
  /** Of all buses, by bus and name; `after` and `next` are `bus/name`. */
  listAll(ask: PageAsk): Promise<Page<Rule>>;
  setState(at: RuleAt, state: Rule["state"], by?: By): Promise<Done<Rule>>;
  /** `withTargets` false: refused while it has some. Null: there was none, and that is fine. */
  remove(at: RuleAt, withTargets: boolean, by?: By): Promise<Done<Rule | null>>;
}

/** One of several that could not be done; the others were. */
export type TargetFailure = { readonly id: string; readonly code: string; readonly message: string };

export interface TargetDesk {
  /**
   * Adds targets in EventBridge's form (`{"Id":…,"Arn":…,"InputTransformer":…}`); one with the same id is replaced. Each is
   * checked whole, whatever its members' types.
   * @param max how many a rule may have; EventBridge says 5 (`TARGETS_PER_RULE_AWS`).
   */
  put(
    at: RuleAt,
    targets: readonly JsonObject[],
    max: number,
    by?: By,
  ): Promise<Done<{ readonly failed: readonly TargetFailure[] }>>;
  /** By id; `Target.asPut` is EventBridge's form. */
  list(at: RuleAt, ask: PageAsk): Promise<Done<Page<Target>>>;
  /** Ids that are unknown are ignored. */
  remove(at: RuleAt, ids: readonly string[], by?: By): Promise<Done<{ readonly failed: readonly TargetFailure[] }>>;
  /** Names of a bus' rules that have a target with this ARN. */
  ruleNamesOf(arn: string, bus: string, ask: PageAsk): Promise<Done<Page<string>>>;
}

/** By ARN of a rule or a bus. */
export interface TagDesk {
  of(arn: string): Promise<Done<Tags>>;
  add(arn: string, tags: Tags, by?: By): Promise<Done<null>>;
  remove(arn: string, keys: readonly string[], by?: By): Promise<Done<null>>;
}

export type Tested = { readonly kind: "done"; readonly matches: boolean; readonly why: string | null } | RuleFault;

export type Archive = {
  readonly name: string;
  readonly bus: string;
  readonly description: string | null;
  readonly pattern: string | null;
  /** 0: for ever. */
  readonly retentionDays: number;
  readonly createdMs: number;
  /** What is in it now. */
  readonly events: number;
  readonly bytes: number;
};

export type ArchiveWish = Pick<Archive, "description" | "pattern" | "retentionDays">;

export interface ArchiveDesk {
  create(wish: ArchiveWish & { readonly name: string; readonly bus: string }, by?: By): Promise<Done<Archive>>;
  /** What is absent stays as it is. */
  update(name: string, wish: Partial<ArchiveWish>, by?: By): Promise<Done<Archive>>;
  describe(name: string): Promise<Done<Archive>>;
  /** `bus` null: of all. */
  list(bus: string | null, ask: PageAsk): Promise<Page<Archive>>;
  remove(name: string, by?: By): Promise<Done<null>>;
}

export type ReplayState = "STARTING" | "RUNNING" | "CANCELLING" | "COMPLETED" | "CANCELLED" | "FAILED";

export type Replay = {
  readonly name: string;
  readonly archive: string;
  readonly bus: string;
  readonly description: string | null;
  /** Only these rules of the bus see the events; null: all. */
  readonly rules: readonly string[] | null;
  /** Times of the events: from the first, itself included, up to the second, itself excluded. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly state: ReplayState;
  readonly stateReason: string | null;
  readonly startedMs: number;
  readonly endedMs: number | null;
  /** Time of the last event that was replayed; null: none yet. */
  readonly lastEventMs: number | null;
  readonly replayed: number;
};

export interface ReplayDesk {
  start(
    wish: Pick<Replay, "name" | "archive" | "bus" | "description" | "rules" | "fromMs" | "untilMs">,
    by?: By,
  ): Promise<Done<Replay>>;
  describe(name: string): Promise<Done<Replay>>;
  /** Null: whatever the archive, whatever the state. */
  list(
    only: { readonly archive: string | null; readonly state: ReplayState | null },
    ask: PageAsk,
  ): Promise<Page<Replay>>;
  /** Only one that is STARTING or RUNNING. */
  cancel(name: string, by?: By): Promise<Done<Replay>>;
}

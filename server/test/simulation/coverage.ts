/**
 * Everything that the simulation does to the house, by name. A kind that does not occur any more is a promise that is
 * not tested any more, although the run is green: `missing` names it.
 */
export const KINDS = [
  // People.
  "people.array",
  "people.bulkArray",
  "people.list",
  "people.allChannels",
  "people.delayed",
  "people.large",
  "people.attached",
  "people.repeated",
  "people.repeatedLate",
  "people.overloaded",
  "people.left",
  "people.leftInFanOut",
  "people.joined",
  "people.suppressed",
  "people.canceled",
  "people.resent",
  "people.redriven",
  "people.redrivenEvent",
  // The process and its clock.
  "process.stoppedDrained",
  "process.stoppedCut",
  "clock.back",
  "clock.ahead",
  "lease.deaf",
  "lease.lapsed",
  // The store and the blobs.
  "store.full",
  "store.slow",
  "store.readFailed",
  "store.fenced",
  "store.lostStep",
  "blobs.failed",
  "blobs.lostAnswer",
  "blobs.slow",
  // Providers.
  "provider.retry",
  "provider.down",
  "provider.lie",
  "provider.unknownSent",
  "provider.unknownNotSent",
  "provider.refused",
  "provider.bounced",
  "provider.policy",
  "provider.slow",
  "provider.stalled",
  "provider.outage",
  "provider.silence",
  "gate.rested",
  "gate.stalled",
  // Consumers of the journal.
  "consumer.handled",
  "consumer.redelivered",
  "consumer.failed",
  "consumer.poisoned",
  "consumer.stalled",
  "consumer.buried",
  "consumer.divided",
  // Retention.
  "retention.requests",
  "retention.messages",
  "retention.events",
  "retention.keys",
  "retention.orphans",
] as const;

/** The same for the simulation of events, rules, queues and webhooks. */
export const EVENT_KINDS = [
  // Who raises events.
  "events.kept",
  "events.together",
  "events.repeated",
  "events.refused",
  // Rules, archives, replays.
  "rules.changed",
  "rules.disabled",
  "rules.removed",
  "rules.ownBus",
  "rules.toBus",
  "archives.changed",
  "archives.removed",
  "replays.started",
  "replays.cancelled",
  // What came of it.
  "told.queued",
  "told.sent",
  "told.posted",
  "told.dead",
  "told.replayed",
  "webhook.failed",
  // Queues.
  "queues.refused",
  "queues.deduplicated",
  "queues.received",
  "queues.receivedAgain",
  "queues.deadReceived",
  "queues.hungUp",
  "queues.longPoll",
  "queues.deleted",
  "queues.deleteRefused",
  "queues.visibility",
  "queues.purged",
  "queues.moveBegun",
  "fate.deleted",
  "fate.moved",
  "fate.expired",
  "fate.purged",
  // The machine.
  "process.stoppedDrained",
  "process.stoppedCut",
  "clock.back",
  "clock.ahead",
  "lease.deaf",
  "store.full",
  "store.slow",
  "store.readFailed",
  "store.fenced",
  "store.lostStep",
  "retention.events",
] as const;

/** The same for the simulation of users' functions. */
export const FUNCTION_KINDS = [
  // What is called, and what came of it.
  "functions.sent",
  "functions.worked",
  "functions.threw",
  "functions.partlyFailed",
  "functions.stale",
  "functions.slow",
  "functions.heard",
  "functions.streamed",
  "functions.inLine",
  "functions.ticked",
  "functions.dead",
  "functions.wrote",
  "functions.reloaded",
  // The machine.
  "process.stoppedDrained",
  "process.stoppedCut",
  "clock.back",
  "clock.ahead",
  "lease.deaf",
  "store.full",
  "store.slow",
  "store.readFailed",
  "store.fenced",
] as const;

export type Kind = (typeof KINDS)[number] | (typeof EVENT_KINDS)[number] | (typeof FUNCTION_KINDS)[number];

/** How often each of them happened. */
export type Exercised = Readonly<Partial<Record<Kind, number>>>;

export class Counts {
  readonly of: Partial<Record<Kind, number>> = {};
  /** What happens after the audit tells nothing. */
  isOver = false;

  add(kind: Kind, n = 1): void {
    if (n > 0 && !this.isOver) this.of[kind] = (this.of[kind] ?? 0) + n;
  }
}

/** Kinds that never happened. */
export function missing(exercised: Exercised, kinds: readonly Kind[] = KINDS): readonly Kind[] {
  return kinds.filter((kind) => (exercised[kind] ?? 0) === 0);
}

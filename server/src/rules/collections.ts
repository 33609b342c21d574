import { DEFAULT_BUS, OWN_BUS } from "#domain/arn.ts";
import type { RecordedEvent } from "#domain/event.ts";
import type { Document } from "#domain/document.ts";
import type { Rule } from "#rules/rule.ts";
import type { Replay, RuleAt, Tags } from "#rules/desk.ts";

/** Where rules and what belongs to them lie in the document store. */

/** id = name, body = `BusBody`. The buses that always exist have one only when there is something to remember. */
export const BUSES = "buses";
/** id = `ruleId`, body = `Rule`, terms `["target", arn]`. What is put and shown. */
export const RULES = "rules";
/** id = `LiveThing.id`, body = that thing as the matcher sees it: moved by the matcher alone, with its checkpoint. */
export const LIVE = "live_rules";
/** id = name, body = `ArchiveBody`. */
export const ARCHIVES = "archives";
/** id = `<archive>/<generation>/<position>`, body = `ArchivedEvent`. */
export const ARCHIVED = "archived_events";
/** What went in and out of an archive: id = `<archive>/<generation>/in` or `/out`, body = `ArchiveCount`. One writer each. */
export const ARCHIVE_COUNTS = "archive_counts";
/** Archives that were deleted and whose events are still to be: id = `<archive>/<generation>`. */
export const ARCHIVE_TRASH = "archive_trash";
/** id = name, body = `Replay`. Written by its job alone once it is there. */
export const REPLAYS = "replays";
/** Replays that somebody wants to end: id = name, body = `{}`. */
export const REPLAY_CANCELS = "replay_cancels";

export type BusBody = {
  readonly description: string | null;
  readonly tags: Tags;
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** Somebody is about to delete it, and looks whether it has rules. Whoever puts a rule there makes this false. */
  readonly isClosing: boolean;
};

export type ArchiveBody = {
  readonly name: string;
  /** Which of the archives of this name. */
  readonly generation: string;
  readonly bus: string;
  readonly description: string | null;
  readonly pattern: string | null;
  readonly retentionDays: number;
  readonly createdMs: number;
};

export type ArchiveCount = { readonly events: number; readonly bytes: number };

/** An event as an archive keeps it: what is needed to append it again. */
export type ArchivedEvent = Pick<
  RecordedEvent,
  "id" | "source" | "type" | "subject" | "timeMs" | "data" | "traceparent" | "attributes"
>;

/** Own events by which the matcher learns of changes, each with the whole new thing, in the commit of the change. */
export const RULE_CHANGED = "rule.changed";
export const RULE_REMOVED = "rule.removed";
export const ARCHIVE_CHANGED = "archive.changed";
export const ARCHIVE_REMOVED = "archive.removed";
export const LIVE_TYPES: readonly string[] = [RULE_CHANGED, RULE_REMOVED, ARCHIVE_CHANGED, ARCHIVE_REMOVED];

/** An archive's events and counts begin so. */
export function archivePrefix({ name, generation }: Pick<ArchiveBody, "name" | "generation">): string {
  return `${name}/${generation}/`;
}

/** A bus may have a slash in its name, so it is written escaped. */
export function ruleId({ bus, name }: RuleAt): string {
  return rulePrefix(bus) + name;
}

/** The rules of a bus begin so. */
export function rulePrefix(bus: string): string {
  return `${encodeURIComponent(bus)}/`;
}

/** How a rule is named in sentences and subjects: `default/welcome`. */
export function ruleTitle({ bus, name }: RuleAt): string {
  return `${bus}/${name}`;
}

export function ruleOf(document: Document): Rule {
  // Only the rule book writes here.
  return JSON.parse(document.body) as Rule;
}

export function replayOf(document: Document): Replay {
  // Only the desk of replays and their stage write there.
  return JSON.parse(document.body) as Replay;
}

/** Whether a bus is there although nobody made it. */
export function isGivenBus(name: string): boolean {
  return name === DEFAULT_BUS || name === OWN_BUS;
}

import {
  ARCHIVE_NAME_CHARS_MAX,
  BUS_NAME_CHARS_MAX,
  DESCRIPTION_CHARS_MAX,
  REPLAY_NAME_CHARS_MAX,
  RULE_NAME_CHARS_MAX,
  TAG_KEY_CHARS_MAX,
  TAG_VALUE_CHARS_MAX,
  TAGS_MAX,
  TARGET_ID_CHARS_MAX,
} from "#rules/limits.ts";

/** What is wrong with a name, in EventBridge's words; null when it is one. */
export function busNameFlaw(name: string): string | null {
  return flaw(name, "name", BUS_NAME_CHARS_MAX, /^[/.\-_A-Za-z0-9]+$/, "[/\\.\\-_A-Za-z0-9]+");
}

export function ruleNameFlaw(name: string): string | null {
  return plainFlaw(name, "name", RULE_NAME_CHARS_MAX);
}

/** @param place of the target among those that were put, from 1. */
export function targetIdFlaw(id: string, place: number): string | null {
  return plainFlaw(id, `targets.${place}.member.id`, TARGET_ID_CHARS_MAX);
}

export function archiveNameFlaw(name: string): string | null {
  return plainFlaw(name, "archiveName", ARCHIVE_NAME_CHARS_MAX);
}

export function replayNameFlaw(name: string): string | null {
  return plainFlaw(name, "replayName", REPLAY_NAME_CHARS_MAX);
}

export function descriptionFlaw(text: string | null): string | null {
  return text === null ? null : lengthFlaw(text, "description", 0, DESCRIPTION_CHARS_MAX);
}

export function tagsFlaw(tags: Readonly<Record<string, string>>): string | null {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) return `A resource may have ${TAGS_MAX} tags.`;
  for (const [key, value] of entries) {
    const says = lengthFlaw(key, "tags", 1, TAG_KEY_CHARS_MAX) ?? lengthFlaw(value, "tags", 0, TAG_VALUE_CHARS_MAX);
    if (says !== null) return says;
  }
  return null;
}

export function lengthFlaw(text: string, place: string, min: number, max: number): string | null {
  if (text.length > max) return constraint(text, place, `Member must have length less than or equal to ${max}`);
  return text.length < min ? constraint(text, place, `Member must have length greater than or equal to ${min}`) : null;
}

function plainFlaw(text: string, place: string, max: number): string | null {
  return flaw(text, place, max, /^[.\-_A-Za-z0-9]+$/, "[\\.\\-_A-Za-z0-9]+");
}

function flaw(text: string, place: string, max: number, pattern: RegExp, says: string): string | null {
  return (
    lengthFlaw(text, place, 1, max) ??
    (pattern.test(text) ? null : constraint(text, place, `Member must satisfy regular expression pattern: ${says}`))
  );
}

/** EventBridge's sentence for a value that is not what it should be. */
export function constraint(value: unknown, place: string, says: string): string {
  const shown = String(value).slice(0, 200);
  return `1 validation error detected: Value '${shown}' at '${place}' failed to satisfy constraint: ${says}`;
}

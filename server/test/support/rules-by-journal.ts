import type { RecordedEvent } from "#domain/event.ts";
import { RULE_CHANGED, RULE_REMOVED } from "#rules/collections.ts";
import type { Rule } from "#rules/rule.ts";

/**
 * What the targets of `RulesWorld` must have been told, as the journal alone says: every event by the rules that were put
 * before it and neither changed nor taken away since. For rules on the default bus made by `wish`, events made by `foreign`.
 * Sorted.
 */
export function keysByJournal(journal: readonly RecordedEvent[]): readonly string[] {
  const rules = new Map<string, Rule>();
  const keys: string[] = [];
  for (const event of journal) {
    // Only the rule book writes these.
    if (event.type === RULE_CHANGED) rules.set(ruleOf(event).name, ruleOf(event));
    if (event.type === RULE_REMOVED) rules.delete(ruleOf(event).name);
    if (event.source !== "shop.orders") continue;
    const { kind } = JSON.parse(event.data) as { readonly kind: string };
    for (const { name, pattern, state, targets } of rules.values()) {
      if (state !== "ENABLED" || pattern?.includes(`"${kind}"`) !== true) continue;
      for (const { id } of targets) keys.push(`default/${name}/${id}:${event.position}:${event.id}`);
    }
  }
  return keys.toSorted();
}

function ruleOf(event: RecordedEvent): Rule {
  return JSON.parse(event.data) as Rule;
}

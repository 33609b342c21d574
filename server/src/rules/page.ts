import type { Page } from "#rules/desk.ts";

/** Of items that were asked for with one more than the limit: the page, and the name where the next one begins. */
export function pageOf<Item>(items: readonly Item[], limit: number, nameOf: (item: Item) => string): Page<Item> {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, next: items.length > limit && last !== undefined ? nameOf(last) : null };
}

import { type Client, segment } from "#cli/client.ts";
import { nextCursor, rows } from "#cli/json.ts";
import type { Json, JsonObject } from "#domain/json.ts";

const PAGE = 1_000;

/** Every rule, page by page. */
export async function allRules(client: Client, bus: string | null): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Json = await client.get("rules", { bus, cursor, limit: PAGE });
    found.push(...rows(page));
    cursor = nextCursor(page);
    if (cursor === null) return found;
  }
}

/** The path of a rule named `NAME` or `BUS/NAME`; a bus may have slashes, a rule may not. */
export function pathOf(named: string): string {
  const slash = named.lastIndexOf("/");
  const bus = slash === -1 ? "default" : named.slice(0, slash);
  return `rules/${segment(bus)}/${segment(named.slice(slash + 1))}`;
}

import type { Context, JsonObject } from "tidings";

/**
 * Everybody on a list who follows a stock, as the recipients of a send. Naming the list gives their mails its unsubscribe
 * link, and who leaves it meanwhile gets nothing.
 */
export async function followers(lists: Context["lists"], list: string, ticker: string): Promise<readonly JsonObject[]> {
  const found: JsonObject[] = [];
  for await (const { userId, data } of lists.subscriptions(list)) {
    if (data["ticker"] === ticker) found.push({ user_id: userId, context: { list_id: list } });
  }
  return found;
}

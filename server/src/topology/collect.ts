import { OWN_BUS } from "#domain/arn.ts";
import { readLists } from "#directory/lists.ts";
import { RETIRED } from "#engine/consumer.ts";
import type { Engine } from "#engine/engine.ts";
import { remembered } from "#engine/remembered.ts";
import type { FunctionDesk } from "#functions/desk.ts";
import { STREAM_CONSUMER } from "#functions/feeders/stream.ts";
import type { Seen } from "#functions/host-invoker.ts";
import type { Store } from "#ports/store.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { RuleDesk } from "#rules/desk.ts";
import { draw } from "#topology/draw.ts";
import type { Calls, Facts, Looked, Reader } from "#topology/facts.ts";
import { fold } from "#topology/fold.ts";
import { type Graph, type NodeKind, ordered } from "#topology/graph.ts";
import { BEHIND_MAX, LOOKED_AT_MAX, PAGE, READERS_MAX } from "#topology/limits.ts";
import type { WebhookDesk } from "#webhooks/desk.ts";

/** Where what is drawn is defined, and how it fares. */
export type TopologyHouse = {
  readonly engine: Engine;
  readonly queues: QueueDesk;
  readonly rules: RuleDesk;
  readonly webhooks: WebhookDesk;
  /** Null: this server has none. `seen`: what they were seen to emit on this node. */
  readonly functions: { readonly desk: FunctionDesk; readonly seen?: () => Seen } | null;
};

/**
 * Draws the whole system as it is now. Many who look at once are given the same drawing, at most half a second old.
 * @throws {StoreFault} when the store cannot answer now.
 */
export function topologyOf(house: TopologyHouse): () => Promise<Graph> {
  return remembered(house.engine.parts.clock, async () => {
    const facts = await collect(house);
    return ordered(fold(draw(facts), cutOf(facts)));
  });
}

/** Reads it, in bounded steps. */
export async function collect({ engine, queues, rules, webhooks, functions }: TopologyHouse): Promise<Facts> {
  const { store, clock } = engine.parts;
  const [depths, theQueues, theBuses, theRules, ruleLoads, theWebhooks, lists, readers, theFunctions] =
    await Promise.all([
      store.depths(),
      look(async (after) => {
        const page = await queues.list({ prefix: "", after, limit: PAGE });
        return {
          items: page.queues.map((queue) => ({ ...queue, calls: callsOf(queues, queue.name) })),
          next: page.next,
        };
      }),
      look((after) => rules.buses.list({ prefix: null, after, limit: PAGE })),
      look((after) => rules.rules.listAll({ prefix: null, after, limit: PAGE })),
      rules.loads.all(),
      look((after) => webhooks.endpoints.list({ after, limit: PAGE })),
      look(async (after) => {
        const page = await readLists(store, { pattern: null, after, limit: PAGE });
        return { items: page.lists.map(({ id }) => id), next: page.next };
      }),
      readersOf(store),
      functions?.desk.list(),
    ]);
  return {
    atMs: clock.nowMs(),
    queues: theQueues,
    buses: { ...theBuses, items: theBuses.items.map(({ name }) => name).filter((name) => name !== OWN_BUS) },
    rules: theRules,
    ruleLoads,
    webhooks: theWebhooks,
    lists,
    functions: theFunctions?.functions ?? [],
    seen: functions?.seen?.() ?? new Map(),
    readers,
    depths,
  };
}

/** Kinds of which there is more than was looked at. */
function cutOf({ queues, rules, webhooks, lists, buses, readers }: Facts): ReadonlySet<NodeKind> {
  const looked = { queue: queues, rule: rules, webhook: webhooks, list: lists, bus: buses, reader: readers } as const;
  const kinds = ["queue", "rule", "webhook", "list", "bus", "reader"] as const;
  return new Set(kinds.filter((kind) => looked[kind].isCut));
}

type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null };

async function look<Item>(read: (after: string | null) => Promise<Page<Item>>): Promise<Looked<Item>> {
  const items: Item[] = [];
  let after: string | null = null;
  do {
    const page: Page<Item> = await read(after);
    items.push(...page.items);
    after = page.next;
  } while (after !== null && items.length < LOOKED_AT_MAX);
  return { items: items.slice(0, LOOKED_AT_MAX), isCut: after !== null };
}

/** Messages of a queue that were handled, and those that became dead letters. */
function callsOf(queues: QueueDesk, name: string): Calls {
  const tally = queues.tally(name);
  return { done: tally.deleted, failed: tally.dead_lettered };
}

/** Who reads the journal, beside users' functions, which are asked for it themselves. */
async function readersOf(store: Store): Promise<Looked<Reader>> {
  const checkpoints = await store.checkpoints(null);
  const living = checkpoints.filter(
    ({ consumer, position }) => position < RETIRED && !consumer.startsWith(STREAM_CONSUMER),
  );
  const slowest = Map.groupBy(living, ({ consumer }) => consumer);
  const names = [...slowest.keys()].toSorted();
  const items = await Promise.all(
    names.slice(0, READERS_MAX).map(async (name): Promise<Reader> => {
      const position = Math.min(...(slowest.get(name) ?? []).map((one) => one.position));
      return { name, behind: await store.eventsBehind(position, BEHIND_MAX) };
    }),
  );
  return { items, isCut: names.length > READERS_MAX };
}

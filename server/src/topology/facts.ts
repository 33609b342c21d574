import type { FunctionStatus } from "#functions/desk.ts";
import type { Seen } from "#functions/host-invoker.ts";
import type { QueueDepth } from "#ports/store.ts";
import type { Queue } from "#queues/queue.ts";
import type { RuleLoad } from "#rules/rule-loads.ts";
import type { Rule } from "#rules/rule.ts";
import type { Endpoint } from "#webhooks/endpoint.ts";

/** What is there and how it fares, as it was read: all that a drawing is made of. */
export type Facts = {
  readonly atMs: number;
  readonly queues: Looked<Queue & { readonly calls: Calls }>;
  /** Names. */
  readonly buses: Looked<string>;
  readonly rules: Looked<Rule>;
  readonly ruleLoads: readonly RuleLoad[];
  readonly webhooks: Looked<Pick<Endpoint, "id" | "url" | "state">>;
  /** Ids. */
  readonly lists: Looked<string>;
  readonly functions: readonly FunctionStatus[];
  /** What functions of this node were seen to emit. */
  readonly seen: Seen;
  readonly readers: Looked<Reader>;
  /** Of all queues of the store. */
  readonly depths: readonly QueueDepth[];
};

/** `isCut`: there are more, which nobody has looked at. */
export type Looked<Item> = { readonly items: readonly Item[]; readonly isCut: boolean };

/** Since the node that answers was started. */
export type Calls = { readonly done: number; readonly failed: number };

/** A reader of the journal; `behind`: events that its slowest partition has not read, counted up to `BEHIND_MAX`. */
export type Reader = { readonly name: string; readonly behind: number };

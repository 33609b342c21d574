import type { Json, JsonObject } from "#domain/json.ts";
import type { RequestId } from "#domain/ids.ts";
import type { Lane } from "#domain/job.ts";
import type { SendMessage, Target } from "#domain/notification.ts";
import { DEFAULT_ROUTING, type Leaf, leavesOf, type RouteTree, routeTree } from "#domain/routing.ts";
import { readTargets } from "#pipeline/targets.ts";
import { PLANS_CHARS_MAX } from "#pipeline/stages.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Store, StoredRequest } from "#ports/store.ts";
import { fieldBlobOf } from "#pipeline/claim-check.ts";
import { compiledContent } from "#pipeline/compile-cache.ts";
import type { Compiled } from "#templates/compile.ts";
import { invariant } from "#domain/invariant.ts";

/** An accepted request as the stages need it: read, told apart and compiled once, however many messages come of it. */
export type Plan = {
  readonly id: RequestId;
  readonly message: SendMessage;
  readonly targets: readonly Target[];
  readonly tree: RouteTree;
  /** The tree's leaves by their index, laid out once for all its messages. */
  readonly leaves: readonly Leaf[];
  /** Null when the send names a template that does not exist. */
  readonly compiled: Compiled | null;
  readonly lane: Lane;
  readonly acceptedMs: number;
  readonly traceparent: string | null;
  /** Length of its text, for the bound on memory. */
  readonly chars: number;
};

/** Puts together what accept checked already; content that no longer compiles is our mistake. */
export function makePlan(
  request: Omit<StoredRequest, "body" | "archivedMs">,
  message: SendMessage,
  chars: number,
): Plan {
  const targets = readTargets(message.to);
  invariant(!("code" in targets), `an accepted request names recipients (${request.id})`);
  const compiled = message.content === undefined ? null : compiledContent(message.content);
  if (compiled !== null) invariant(compiled.ok, `accepted content compiles (${request.id})`);
  return planOf(request, message, { targets, compiled: compiled === null ? null : compiled.template }, chars);
}

/** A plan of what has been looked at already. */
export function planOf(
  { id, lane, acceptedMs, traceparent }: Omit<StoredRequest, "body" | "archivedMs">,
  message: SendMessage,
  { targets, compiled }: Pick<Plan, "targets" | "compiled">,
  chars: number,
): Plan {
  const tree = routeTree(message.routing ?? DEFAULT_ROUTING);
  return { id, message, targets, tree, leaves: leavesOf(tree), compiled, lane, acceptedMs, traceparent, chars };
}

/** Plans by request, the recently used ones in memory. */
export class Plans {
  readonly #store: Store;
  readonly #blobs: BlobStore;
  readonly #kept = new Map<RequestId, Plan>();
  #chars = 0;

  constructor(store: Store, blobs: BlobStore) {
    this.#store = store;
    this.#blobs = blobs;
  }

  /** Reads those that are not in memory in one go. A request that is gone (retention) is left out. */
  async load(ids: Iterable<RequestId>): Promise<ReadonlyMap<RequestId, Plan>> {
    const plans = new Map<RequestId, Plan>();
    const missing: RequestId[] = [];
    for (const id of new Set(ids)) {
      const plan = this.#kept.get(id);
      if (plan === undefined) missing.push(id);
      else plans.set(id, plan);
    }
    if (missing.length === 0) return plans;
    for (const request of await this.#store.requests(missing)) {
      if (request === null) continue;
      const plan = makePlan(request, await this.#read(request), request.body.length);
      plans.set(request.id, plan);
      // A request to one person is read once, or again after a while: keeping those would fill the memory for nothing.
      if (isForMany(plan)) this.keep(plan);
    }
    return plans;
  }

  /** Remembers a plan that will be asked for again. */
  keep(plan: Plan): void {
    if (this.#kept.has(plan.id)) return;
    this.#kept.set(plan.id, plan);
    this.#chars += plan.chars;
    for (const [id, oldest] of this.#kept) {
      if (this.#chars <= PLANS_CHARS_MAX || this.#kept.size === 1) break;
      this.#kept.delete(id);
      this.#chars -= oldest.chars;
    }
  }

  async #read(request: StoredRequest): Promise<SendMessage> {
    // Only accept writes requests, and only after the schema was checked.
    const { message } = JSON.parse(request.body) as { message: SendMessage };
    const whole: Record<string, Json> = {};
    for (const [field, value] of Object.entries(message)) whole[field] = await this.#resolve(value, request.id);
    return whole;
  }

  async #resolve(value: Json, owner: RequestId): Promise<Json> {
    const id = fieldBlobOf(value, owner);
    if (id === null) return value;
    const bytes = await this.#blobs.get(id);
    invariant(bytes !== null, `a blob that was committed exists (${id})`);
    return JSON.parse(new TextDecoder().decode(bytes)) as Json;
  }
}

function isForMany({ targets: [first, ...others] }: Plan): boolean {
  return others.length > 0 || first?.kind !== "person";
}

/** What it is about, as listings show it: the event's name, or the template. */
export function eventName(message: SendMessage): string {
  return message.metadata?.event ?? message.template ?? "";
}

/** The data of one entry of `to` over the message's own. */
export function targetData(message: SendMessage, over: JsonObject | undefined): JsonObject {
  const under = message.data ?? {};
  return over === undefined ? under : { ...under, ...over };
}

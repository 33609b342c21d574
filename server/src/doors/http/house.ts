import type { Shelf } from "#blobs/shelf.ts";
import type { DocumentDesk } from "#documents/desk.ts";
import type { Engine } from "#engine/engine.ts";
import type { Nodes } from "#engine/nodes.ts";
import type { FunctionDesk } from "#functions/desk.ts";
import type { Seen } from "#functions/host-invoker.ts";
import type { HttpRoute } from "#functions/feeders/http.ts";
import type { HttpRoutes } from "#functions/http-routes.ts";
import type { Accept } from "#pipeline/accept.ts";
import type { HeldDesk } from "#pipeline/held-desk.ts";
import type { MessageDesk } from "#pipeline/message-desk.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Dice } from "#ports/dice.ts";
import type { Log } from "#ports/log.ts";
import type { Meter } from "#ports/meter.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { Store } from "#ports/store.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { RuleDesk } from "#rules/desk.ts";
import type { EventDesk } from "#rules/event-desk.ts";
import type { SchemaDesk } from "#schemas/schema-desk.ts";
import type { WebhookDesk } from "#webhooks/desk.ts";

/** What the HTTP door needs of the house behind it. */
export type HttpHouse = {
  readonly engine: Engine;
  readonly store: Store;
  /** Who else shares the store, and what this node's role is: a worker's door serves only what machines ask. */
  readonly nodes: Nodes;
  readonly accept: Accept;
  readonly desk: MessageDesk;
  readonly held: HeldDesk;
  /** Where events from outside come in, through whatever door. */
  readonly events: EventDesk;
  /** What those events should look like. */
  readonly schemas: SchemaDesk;
  readonly queues: QueueDesk;
  readonly rules: RuleDesk;
  readonly webhooks: WebhookDesk;
  /** Users' documents, and their files by name. */
  readonly documents: DocumentDesk;
  readonly shelf: Shelf;
  /** Users' own handlers; absent where there is no folder of them. */
  readonly functions?: HttpFunctions;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly meter: Meter;
  readonly secrets: Secrets;
  /** Whether the engine works already; asked by `/ready`. */
  readonly started: () => boolean;
  /** What `/metrics` shows. */
  readonly metrics: { text(): Promise<string> };
  readonly settings: HttpSettings;
};

/** What the door serves of users' functions. */
export type HttpFunctions = {
  readonly desk: FunctionDesk;
  /** Paths that functions declare, as they are now. */
  readonly routes: Pick<HttpRoutes<HttpRoute>, "find">;
  /** What each was seen to emit since this node started. */
  readonly seen: () => Seen;
};

export type HttpSettings = {
  /** Shown in `/openapi.json` and `/health`. */
  readonly version: string;
  /** Where people and mail programs reach us, without a slash at the end; for links that leave the house. */
  readonly publicUrl: string;
  /** Digest of the token that this start of the process gave to its own command line; it may do everything. */
  readonly localTokenDigest: string | null;
  /** Whether `/metrics` asks for a key with the scope `read`. */
  readonly metricsNeedKey: boolean;
  readonly aws: AwsSettings;
};

/** What the door of AWS' clients needs to know. */
export type AwsSettings = {
  /** For ARNs, where the caller's signature names no region. */
  readonly region: string;
  /** As configured, without a slash at the end; null: only the calls know how we are reached. */
  readonly publicUrl: string | null;
  /** `tidings dev` only, and only on loopback: any key and any signature will do. */
  readonly anyKey: boolean;
};

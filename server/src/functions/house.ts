import type { Directory } from "#directory/directory.ts";
import type { DocumentDesk } from "#documents/desk.ts";
import type { Engine } from "#engine/engine.ts";
import type { DraftSend } from "#pipeline/accept.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { FunctionHost } from "#ports/function-host.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { QueueDesk } from "#queues/desk.ts";
import type { RuleDesk } from "#rules/desk.ts";
import type { EventDesk } from "#rules/event-desk.ts";
import type { ReadSend } from "#rules/targets/send.ts";

/** What functions need of the house around them. */
export type FunctionsHouse = {
  readonly engine: Engine;
  readonly secrets: Secrets;
  readonly host: FunctionHost;
  readonly queues: QueueDesk;
  readonly events: EventDesk;
  /** The rules know functions as a kind of target, so they are opened with it, and before they are asked for. */
  readonly rules: () => RuleDesk;
  readonly send: DraftSend;
  readonly readSend: ReadSend;
  readonly documents: DocumentDesk;
  readonly subscriptions: Directory["subscriptions"];
  readonly blobs: BlobStore;
  /** Of events that brought none. */
  readonly region: string;
};

import { hash } from "node:crypto";
import { Shelf } from "#blobs/shelf.ts";
import { DocumentDesk } from "#documents/desk.ts";
import { KEYS, type KeyBody } from "#directory/collections.ts";
import { buildHttpApp } from "#doors/http/door.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { newRequestId, soleMessageId } from "#domain/ids.ts";
import type { NewMessage } from "#domain/message.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import { soleNode } from "#engine/nodes.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import type { Accept } from "#pipeline/accept.ts";
import { HeldDesk } from "#pipeline/held-desk.ts";
import type { MessageDesk } from "#pipeline/message-desk.ts";
import { Plans } from "#pipeline/plan.ts";
import { buildPipeline } from "#pipeline/pipeline.ts";
import { type LogFields, silentLog } from "#ports/log.ts";
import type { Provider } from "#ports/provider.ts";
import type { Store } from "#ports/store.ts";
import { EventJudge } from "#schemas/judge.ts";
import { SchemaDesk } from "#schemas/schema-desk.ts";
import { openQueues } from "#queues/queues.ts";
import { sendReader } from "#app/read-send.ts";
import { EventDesk } from "#rules/event-desk.ts";
import { type OpenRules, openRules } from "#rules/open-desk.ts";
import { sendTarget } from "#rules/targets/send.ts";
import { messageShower } from "#doors/http/message-view.ts";
import { openWebCaller } from "#providers/webhook/web-caller.ts";
import { openWebhooks } from "#webhooks/open.ts";

/** Keys that open a given door. */
export const FULL_KEY = "tk_full_0123456789";
export const SEND_KEY = "tk_send_0123456789";
export const READ_KEY = "tk_read_0123456789";
export const REVOKED_KEY = "tk_gone_0123456789";
export const LOCAL_TOKEN = "local_0123456789";

export const AUTH = { authorization: `Bearer ${FULL_KEY}` };
export const JSON_HEADERS = { ...AUTH, "content-type": "application/json" };

/** Parts of the house that a test brings along; the rest is real, in memory, with an accept that commits a message. */
export type Given = Partial<Omit<HttpHouse, "engine">> & {
  readonly store?: Store;
  /** Carries what is accepted, through the real pipeline; without them an accept that only commits. */
  readonly providers?: readonly Provider[];
};

/** A door over a real engine and a store in memory, with its keys, without a port. */
export async function givenHouse(given: Given = {}) {
  const clock = given.clock ?? systemClock();
  const dice = given.dice ?? seededDice(1);
  const store = given.store ?? openMemoryStore({ clock });
  const registry = openRegistry();
  const meter = given.meter ?? registry;
  const complaints: { readonly sentence: string; readonly fields: LogFields }[] = [];
  const log = given.log ?? {
    ...silentLog,
    error: (sentence: string, fields: LogFields = {}) => void complaints.push({ sentence, fields }),
  };
  const engine = new Engine({ store, clock, dice, log, meter });
  const secrets = given.secrets ?? systemSecrets(new Uint8Array(32).fill(7));
  const blobs = given.blobs ?? openMemoryBlobStore({ clock });
  const publicUrl = "http://127.0.0.1:3300";
  const nodes = given.nodes ?? soleNode({ id: "test", role: "all", version: "0.1.0" }, clock.nowMs());
  const pipeline =
    given.providers === undefined
      ? {
          accept: plainAccept(engine),
          desk: emptyDesk(),
          held: new HeldDesk(engine, new Plans(store, blobs)),
        }
      : buildPipeline({
          engine,
          blobs,
          secrets,
          providers: given.providers,
          publicUrl: () => publicUrl,
          onUnknown: "retry",
          deadlines: { inMs: null, late: "drop" },
          nodes,
        });
  const schemas = new SchemaDesk(engine);
  const queues = openQueues(engine, secrets);
  const caller = openWebCaller({ clock });
  const webhooks = openWebhooks({
    engine,
    secrets,
    caller,
    showMessage: messageShower(store),
    rules: () => rules.desk,
  });
  const rules: OpenRules = openRules({
    engine,
    secrets,
    queues: queues.desk,
    kinds: [sendTarget(pipeline.accept, sendReader(), clock), webhooks.target],
    region: "us-east-1",
  });
  await engine.start();
  const house: HttpHouse = {
    engine,
    store,
    nodes,
    clock,
    dice,
    log,
    meter,
    secrets,
    metrics: registry,
    ...pipeline,
    events: new EventDesk(engine, secrets, new EventJudge(engine, schemas)),
    schemas,
    queues: queues.desk,
    rules: rules.desk,
    webhooks: webhooks.desk,
    documents: new DocumentDesk(engine),
    shelf: new Shelf({ engine, blobs, sha256: (bytes) => hash("sha256", bytes, "hex") }),
    blobs,
    started: () => true,
    settings: {
      version: "0.1.0",
      publicUrl,
      localTokenDigest: secrets.digest(LOCAL_TOKEN),
      metricsNeedKey: false,
      aws: { region: "us-east-1", publicUrl: null, anyKey: false },
    },
    ...given,
  };
  const key = (text: string, scopes: readonly string[], revokedMs: number | null = null) => ({
    collection: KEYS,
    id: secrets.digest(text),
    body: JSON.stringify({
      name: text.slice(3, 7),
      scopes,
      createdMs: 1,
      prefix: text.slice(0, 8),
      revokedMs,
      origin: "created",
    } satisfies KeyBody),
    when: "always" as const,
    nowMs: 1,
  });
  await engine.submit({
    puts: [key(FULL_KEY, ["full"]), key(SEND_KEY, ["send"]), key(READ_KEY, ["read"]), key(REVOKED_KEY, ["full"], 5)],
  });
  const { app, close } = await buildHttpApp(house);
  return {
    app,
    house,
    complaints,
    [Symbol.asyncDispose]: async () => {
      await close();
      await engine.stop(0);
      await caller[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Accepts anything: commits one message to whoever is named, without doing anything about it. */
export function plainAccept(engine: Engine): Accept {
  return {
    accept: async ({ message, text, traceparent, once }) => {
      const { clock, dice } = engine.parts;
      const nowMs = clock.nowMs();
      const id = newRequestId(nowMs, dice.hex(12));
      const to: Readonly<Record<string, unknown>> = Array.isArray(message.to) ? {} : { ...Object(message.to) };
      const born: NewMessage = {
        id: soleMessageId(id),
        requestId: id,
        toIndex: 0,
        recipient: String(to["user_id"] ?? to["email"] ?? "nobody"),
        userId: null,
        listId: null,
        event: "",
        notification: "",
        traceId: null,
        tags: [],
        status: "ENQUEUED",
        enqueuedMs: nowMs,
      };
      const accepted = { type: "message.accepted", subject: id, timeMs: nowMs, data: "{}", traceparent };
      const verdict = await engine.submit({
        requests: [{ id, body: text, acceptedMs: nowMs, lane: "transactional", traceparent, archivedMs: null }],
        messages: [{ message: born, job: null, events: [accepted] }],
        ...(once === null ? {} : { once: { ...once, status: 202, body: `{"requestId":"${id}"}` } }),
      });
      switch (verdict.kind) {
        case "committed":
          return { kind: "accepted", requestId: id };
        case "repeated":
        case "overloaded":
          return verdict;
        default:
          throw new Error(`broken invariant: ${verdict.kind}`);
      }
    },
  };
}

/** A desk that knows no message. */
export function emptyDesk(): MessageDesk {
  return {
    cancel: async () => ({ kind: "unknown" }),
    resend: async () => ({ kind: "unknown" }),
    archive: async () => false,
    output: async () => null,
    why: async () => null,
  };
}

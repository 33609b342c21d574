import assert from "node:assert/strict";
import {
  birth,
  claimAll,
  event,
  job,
  message,
  messageIdOf,
  ODD_TEXTS,
  request,
  requestIdOf,
  START_MS,
} from "#conformance/store-world.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Store } from "#ports/store.ts";

export const BIG_BLOB_BYTES = 2_500_000;
/** What `fillWhole` names. */
export const BLOBS: Readonly<Record<string, Uint8Array>> = {
  "blob-small": Buffer.from("small \0 bytes"),
  "blob-empty": new Uint8Array(0),
  "blob-big": Buffer.alloc(BIG_BLOB_BYTES, "0123456789abcdefg"),
};

/** Puts everything into a store that one can hold, told apart by odd texts; its clock stands at {@link START_MS}. */
export async function fillWhole(store: Store): Promise<void> {
  // The oldest events are trimmed, so that counting and positions part.
  await store.commit([
    { events: Array.from({ length: 9 }, (_, n) => event(`old-${n}`, { timeMs: START_MS - 1_000 })) },
  ]);
  await store.trimJournal(9, START_MS, 100);
  await store.commit(
    ODD_TEXTS.map((text, n) => ({
      requests: [request(n, { body: `${text}${n}`, lane: n % 2 === 0 ? "bulk" : "transactional", archivedMs: n })],
      messages: [
        birth(
          message(n, {
            recipient: text,
            userId: n % 2 === 0 ? null : text,
            listId: n % 3 === 0 ? "news" : null,
            traceId: n % 4 === 0 ? text : null,
            tags: n % 2 === 0 ? [text, "b"] : [],
            enqueuedMs: START_MS + n,
          }),
          job(messageIdOf(n), {
            payload: text,
            turn: n / 3,
            dueMs: n < 8 ? START_MS + 1_000.5 * n : START_MS - n,
            lane: n % 2 === 0 ? "bulk" : "transactional",
          }),
          [event(messageIdOf(n), { data: JSON.stringify({ text }), key: n % 2 === 0 ? null : text })],
        ),
      ],
      events: [
        event(text, {
          source: "elsewhere",
          id: `${n}${text}`,
          traceparent: text,
          attributes: n % 2 === 0 ? JSON.stringify({ subject: text }) : null,
        }),
      ],
      puts: [
        {
          collection: n % 2 === 0 ? "profiles" : text,
          id: text,
          body: JSON.stringify(text),
          terms: [["term", text] as const, ["all", "yes"] as const],
          when: "always" as const,
          nowMs: START_MS + n,
        },
      ],
      once: { key: `once-${text}`, fingerprint: text, status: 202, body: text, expiresMs: START_MS + 60_000 + n },
      checkpoints: [{ consumer: `c${text}`, partition: n, position: 9 + n, updatedMs: START_MS }],
    })),
  );
  await store.commit([
    { blobs: Object.entries(BLOBS).map(([id, bytes]) => ({ id, bytes: bytes.length, owner: requestIdOf(1) })) },
    { patches: [{ id: messageIdOf(3), status: "SENT", sentMs: START_MS + 5, channel: "email", provider: "smtp" }] },
    { jobs: ["park-a", "park-b"].map((key) => job(key, { queue: "parked", turn: -1 })) },
  ]);
  const [dead, again, ...held] = [...(await claimAll(store, 3)), ...(await claimAll(store, 1, "bulk"))];
  assert.ok(dead !== undefined && again !== undefined && held.length === 2);
  await store.commit([
    { job: { ref: dead, end: { kind: "dead", error: "gave \0 up" } } },
    {
      job: {
        ref: again,
        end: { kind: "again", payload: "{}", dueMs: START_MS + 9, turn: 5, attempts: "count", error: "come again" },
      },
    },
  ]);
}

/** Everything that the port tells, so that two stores can be compared. What each store estimates is left out. */
export async function dumpWhole(store: Store, blobs: BlobStore) {
  const ids = ODD_TEXTS.map((_, n) => n);
  const { bytes: _, ...bounds } = await store.journalBounds();
  const partition = (index: number) => store.readJournal({ after: 0, limit: 1_000, partition: { index, of: 3 } });
  const list = async (filter: object) => (await store.listMessages(filter, { after: null, limit: 100 })).messages;
  const firstPage = await store.listMessages({}, { after: null, limit: 4 });
  return {
    bounds,
    journal: await store.readJournal({ after: 0, limit: 1_000 }),
    partitions: (await Promise.all([0, 1, 2].map(partition))).map(({ events }) => events),
    behind: await store.eventsBehind(12, 1_000),
    history: await store.eventsOf(messageIdOf(3), 10),
    checkpoints: (await store.checkpoints(null)).toSorted((a, b) => a.partition - b.partition),
    requests: await store.requests(ids.map(requestIdOf)),
    messages: await store.messages(ids.map((n) => messageIdOf(n))),
    lists: [
      await list({ archived: true }),
      await list({ list: "news", archived: true }),
      await list({ recipient: "a\0b", archived: true }),
      await list({ tags: ["b"], archived: true }),
      await list({ traceId: ODD_TEXTS[4], archived: true }),
    ],
    next: (await store.listMessages({}, { after: firstPage.next, limit: 4 })).messages,
    outcomes: await store.countOutcomes(requestIdOf(3)),
    documents: await store.documents(ODD_TEXTS.map((id, n) => ({ collection: n % 2 === 0 ? "profiles" : id, id }))),
    profiles: await store.listDocuments({ collection: "profiles", limit: 100 }),
    byTerm: await store.listDocuments({ collection: "profiles", term: ["all", "yes"], limit: 100 }),
    once: await store.once(ODD_TEXTS.map((text) => `once-${text}`)),
    jobs: await store.jobs([...ids.map((n) => messageIdOf(n)), "park-a", "park-b", "nobody"]),
    dead: await store.deadJobs({ queue: null, after: null, limit: 100 }),
    depths: await store.depths(),
    due: (await store.wakeDue(0)).nextDueMs,
    unnamed: await store.unnamedBlobs([...Object.keys(BLOBS), "orphan"]),
    bytes: await Promise.all(Object.keys(BLOBS).map(async (id) => Buffer.from((await blobs.get(id)) ?? []).toString())),
    orphan: await blobs.get("never-there"),
  };
}

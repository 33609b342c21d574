import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packUnits, unpackUnits } from "#drivers/sqlite/packing.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import { LANES } from "#domain/job.ts";
import { MESSAGE_STATUSES } from "#domain/message.ts";
import type { Unit } from "#ports/store.ts";

const text = fc.oneof(fc.string({ unit: "binary" }), fc.string());
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some, { nil: null });
const ms = fc.integer({ min: 0, max: 2 ** 43 });
const lane = fc.constantFrom(...LANES);
// Ids are texts to the codec.
const requestId = text.map((id) => id as RequestId);
const messageId = text.map((id) => id as MessageId);

const event = fc.record({
  type: text,
  subject: text,
  timeMs: ms,
  data: fc.json(),
  traceparent: maybe(text),
  key: maybe(text),
  source: maybe(text),
  id: maybe(text),
  attributes: maybe(fc.json()),
});
const job = fc.record({
  key: fc.string({ minLength: 1 }),
  queue: text,
  lane,
  turn: fc.double({ noNaN: true, noDefaultInfinity: true }).map((turn) => turn + 0),
  dueMs: ms,
  payload: text,
  traceparent: maybe(text),
  heldForMs: maybe(ms),
  group: maybe(text),
});
const message = fc.record({
  id: messageId,
  requestId,
  toIndex: fc.nat(),
  recipient: text,
  userId: maybe(text),
  listId: maybe(text),
  event: text,
  notification: text,
  traceId: maybe(text),
  tags: fc.array(text, { maxLength: 3 }),
  status: fc.constantFrom(...MESSAGE_STATUSES),
  enqueuedMs: ms,
});
const request = fc.record({
  id: requestId,
  body: fc.json(),
  acceptedMs: ms,
  lane,
  traceparent: maybe(text),
  archivedMs: maybe(ms),
});
const end = fc.oneof(
  fc.constant({ kind: "done" } as const),
  fc.record({ kind: fc.constant("dead" as const), error: text }),
  fc.record({ kind: fc.constant("keep" as const), payload: maybe(text), step: fc.nat() }),
);
const few = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 3 });
const always = fc.record({
  requests: few(request),
  messages: few(fc.record({ message, job: maybe(job), events: few(event) })),
  patches: few(fc.record({ id: messageId, error: maybe(text) })),
  events: few(event),
});
const rare = fc.record(
  {
    job: fc.record({ ref: fc.record({ key: fc.string({ minLength: 1 }), fence: fc.nat() }), end }),
    also: fc.array(fc.record({ key: text, fence: fc.nat() }), { minLength: 1, maxLength: 3 }),
    unnamed: fc.array(text, { minLength: 1, maxLength: 3 }),
    take: text,
    jobs: fc.array(job, { minLength: 1, maxLength: 2 }),
    blobs: fc.array(fc.record({ id: text, bytes: fc.nat(), owner: text }), { minLength: 1, maxLength: 2 }),
    once: fc.record({ key: text, fingerprint: text, status: fc.nat(), body: text, expiresMs: ms }),
  },
  { requiredKeys: [] },
);
const unit: fc.Arbitrary<Unit> = fc.tuple(always, rare).map(([some, other]) => ({ ...some, ...other }));

test("units arrive at the other thread as they were", () => {
  fc.assert(
    fc.property(few(unit), (units) => {
      // Cloned as on the way to a thread; the other clone has plain prototypes, which fast-check's records have not.
      assert.deepEqual(unpackUnits(structuredClone(packUnits(units))), structuredClone(units));
    }),
  );
});

test("what a unit leaves out arrives as none of it", () => {
  const [arrived] = unpackUnits(packUnits([{ deletes: [], puts: [], take: "job" }]));
  assert.deepEqual(arrived, { take: "job", requests: [], messages: [], patches: [], events: [] });
});

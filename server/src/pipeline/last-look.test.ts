import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { LastLook, type Standing } from "#pipeline/last-look.ts";
import type { Document, DocumentKey } from "#domain/document.ts";
import { StoreFault } from "#ports/store.ts";

const key = (id: string): DocumentKey => ({ collection: "c", id });
const there = (id: string): Standing => ({ key: key(id), isThere: true });
const absent = (id: string): Standing => ({ key: key(id), isThere: false });

/** A store that holds the documents whose ids begin with "is", and answers when the test says. */
function given() {
  const reads: { readonly ids: readonly string[]; readonly answer: () => void; readonly fail: () => void }[] = [];
  const documents = (keys: readonly DocumentKey[]): Promise<readonly (Document | null)[]> =>
    new Promise((resolve, reject) => {
      const found = keys.map(({ collection, id }) =>
        id.startsWith("is") ? { collection, id, body: "{}", version: 1, createdMs: 0, updatedMs: 0 } : null,
      );
      const fail = () => reject(new StoreFault("store.failed", "gone"));
      reads.push({ ids: keys.map(({ id }) => id), answer: () => resolve(found), fail });
    });
  const clock = new ManualClock();
  const pass = async (): Promise<void> => {
    clock.advance(2);
    await Promise.resolve();
  };
  return { reads, pass, look: new LastLook({ documents }, clock) };
}

test("what was there must be there, what was not must not", async () => {
  const { reads, look } = given();
  const asked = look.ask([
    [there("is a")],
    [there("no a")],
    [absent("no b")],
    [absent("is b")],
    [there("is a"), absent("is b")],
  ]);
  await Promise.resolve();
  for (const { answer } of reads) answer();
  assert.deepEqual(await asked, [true, false, true, false, false]);
  assert.equal(reads.length, 1, "questions of one moment are one read");
});

test("a message that nobody can revoke is asked of nobody", async () => {
  const { reads, look } = given();
  assert.deepEqual(await look.ask([[], []]), [true, true]);
  assert.equal(reads.length, 0);
});

test("a question is never answered by a read that began before it", async () => {
  const { reads, pass, look } = given();
  const first = look.ask([[there("is a")]]);
  await pass();
  const second = look.ask([[there("is b")]]);
  await pass();
  assert.deepEqual(
    reads.map(({ ids }) => ids),
    [["is a"], ["is b"]],
  );
  for (const { answer } of reads) answer();
  assert.deepEqual([await first, await second], [[true], [true]]);
});

test("a lone question is asked at once; those that follow within two milliseconds share a read", async () => {
  const { reads, pass, look } = given();
  void look.ask([[there("is a")]]);
  await Promise.resolve();
  assert.equal(reads.length, 1);
  for (let n = 0; n < 5; n += 1) {
    void look.ask([[there(`is ${n}`)]]);
    await Promise.resolve();
  }
  assert.equal(reads.length, 1);
  await pass();
  assert.deepEqual(reads[1]?.ids, ["is 0", "is 1", "is 2", "is 3", "is 4"]);
});

test("while four reads are under way, those who come gather for the next", async () => {
  const { reads, pass, look } = given();
  const asked = [];
  for (let n = 0; n < 10; n += 1) {
    asked.push(look.ask([[there(`is ${n}`)]]));
    await pass();
  }
  assert.equal(reads.length, 4);
  reads[0]?.answer();
  await asked[0];
  await new Promise(setImmediate);
  assert.deepEqual(reads[4]?.ids, ["is 4", "is 5", "is 6", "is 7", "is 8", "is 9"]);
  for (const { answer } of reads) answer();
  assert.equal((await Promise.all(asked)).flat().every(Boolean), true);
});

test("a store that cannot say is no yes", async () => {
  const { reads, look } = given();
  const asked = look.ask([[there("is a")]]);
  await Promise.resolve();
  reads[0]?.fail();
  await assert.rejects(asked, StoreFault);
});

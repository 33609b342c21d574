import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  birth,
  COMMITTED,
  commitOne,
  event,
  job,
  message,
  messageIdOf,
  request,
  requestIdOf,
  START_MS,
  stateOf,
  type StoreWorld,
} from "#conformance/store-world.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { MessageFilter, Store } from "#ports/store.ts";

/** All pages, and how many there were. */
async function listAll(store: Store, filter: MessageFilter, limit: number): Promise<MessageRecord[]> {
  const messages: MessageRecord[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page = await store.listMessages(filter, { after, limit });
    assert(page.messages.length <= limit);
    messages.push(...page.messages);
    if (page.next === null) return messages;
    after = page.next;
  }
  throw new Error("the pages have no end");
}

export function messageSentences(world: StoreWorld): void {
  describe("messages", () => {
    test("are born with nothing told of them yet", async () => {
      await using at = await world.open();
      const born = message(1, { listId: "news", userId: null, traceId: "t", tags: ["a", "b"], toIndex: 3 });
      await commitOne(at.store, { messages: [birth(born)] });
      const told = {
        reason: null,
        error: null,
        channel: null,
        provider: null,
        sentMs: null,
        deliveredMs: null,
        openedMs: null,
        clickedMs: null,
        canceledMs: null,
        archivedMs: null,
      };
      assert.deepEqual(await at.store.messages([messageIdOf(2), born.id]), [null, { ...born, ...told }]);
    });

    test("one that exists is left alone, and so are its job and its events", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { messages: [birth(message(1), null, [event("first")])] });
      const verdict = await commitOne(store, {
        messages: [
          birth(message(1, { recipient: "bob" }), job("again"), [event("second")]),
          birth(message(2), job("new"), [event("third")]),
        ],
      });
      assert.deepEqual(verdict, { kind: "committed", skipped: ["again"] });
      assert.equal((await store.messages([messageIdOf(1)]))[0]?.recipient, "ada");
      assert.deepEqual([await stateOf(store, "again"), await stateOf(store, "new")], ["gone", "ready"]);
      const { events } = await store.readJournal({ after: 0, limit: 9 });
      assert.deepEqual(
        events.map(({ subject }) => subject),
        ["first", "third"],
      );
    });

    test("a patch changes what it names and leaves the rest", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { messages: [birth(message(1))] });
      await commitOne(store, { patches: [{ id: messageIdOf(1), status: "ROUTED", channel: "email", error: "slow" }] });
      await commitOne(store, {
        patches: [
          { id: messageIdOf(1), status: "SENT", provider: "smtp", sentMs: START_MS + 1, error: null },
          { id: messageIdOf(1), openedMs: START_MS + 3, deliveredMs: START_MS + 2, clickedMs: START_MS + 4 },
          { id: messageIdOf(1) },
          { id: messageIdOf(9), status: "SENT" },
        ],
      });
      const [patched] = await store.messages([messageIdOf(1)]);
      assert.deepEqual(patched, {
        ...message(1),
        status: "SENT",
        reason: null,
        error: null,
        channel: "email",
        provider: "smtp",
        sentMs: START_MS + 1,
        deliveredMs: START_MS + 2,
        openedMs: START_MS + 3,
        clickedMs: START_MS + 4,
        canceledMs: null,
        archivedMs: null,
      });
      assert.deepEqual(await store.messages([messageIdOf(9)]), [null]);
    });

    test("a status that came late does not lower what is known, and does not bring its reason", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { messages: [birth(message(1))] });
      await commitOne(store, { patches: [{ id: messageIdOf(1), status: "OPENED", openedMs: START_MS + 9 }] });
      await commitOne(store, {
        patches: [{ id: messageIdOf(1), status: "SENT", reason: "FAILED", error: "late", sentMs: START_MS + 5 }],
      });
      const [first] = await store.messages([messageIdOf(1)]);
      assert.deepEqual(
        [first?.status, first?.reason, first?.error, first?.sentMs],
        ["OPENED", null, null, START_MS + 5],
      );
      await commitOne(store, { patches: [{ id: messageIdOf(1), status: "CANCELED", canceledMs: START_MS + 6 }] });
      await commitOne(store, { patches: [{ id: messageIdOf(1), status: "FILTERED", reason: "FILTERED" }] });
      const [second] = await store.messages([messageIdOf(1)]);
      assert.deepEqual([second?.status, second?.reason], ["CANCELED", null]);
    });

    test("one that was given up can still be sent when its job is revived", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { messages: [birth(message(1))] });
      await commitOne(store, {
        patches: [{ id: messageIdOf(1), status: "UNDELIVERABLE", reason: "PROVIDER_ERROR", error: "e" }],
      });
      await commitOne(store, { patches: [{ id: messageIdOf(1), status: "SENT", reason: null, error: null }] });
      const [sent] = await store.messages([messageIdOf(1)]);
      assert.deepEqual([sent?.status, sent?.reason, sent?.error], ["SENT", null, null]);
    });

    test("the outcomes of a request are counted by status", async () => {
      await using at = await world.open();
      const { store } = at;
      const recipients = ["a", "b", "c", "d"];
      const members = recipients.map((who) => message(1, { id: messageIdOf(1, who), recipient: who }));
      await commitOne(store, { messages: [...members, message(2)].map((one) => birth(one)) });
      await commitOne(store, {
        patches: ["a", "b"].map((who) => ({ id: messageIdOf(1, who), status: "SENT" as const })),
      });
      assert.deepEqual({ ...(await store.countOutcomes(requestIdOf(1))) }, { SENT: 2, ENQUEUED: 2 });
      assert.deepEqual({ ...(await store.countOutcomes(requestIdOf(9))) }, {});
    });

    test("an archived request hides its messages unless they are asked for", async () => {
      await using at = await world.open();
      const { store } = at;
      await commitOne(store, { requests: [request(1)], messages: [birth(message(1)), birth(message(2))] });
      await commitOne(store, { archive: [{ request: requestIdOf(1), atMs: START_MS + 5 }] });
      await commitOne(store, {
        archive: [
          { request: requestIdOf(1), atMs: START_MS + 9 },
          { request: requestIdOf(7), atMs: 1 },
        ],
      });
      assert.equal((await store.requests([requestIdOf(1)]))[0]?.archivedMs, START_MS + 5);
      assert.equal((await store.messages([messageIdOf(1)]))[0]?.archivedMs, START_MS + 5);
      const ids = async (filter: MessageFilter) => (await listAll(store, filter, 9)).map(({ id }) => id);
      assert.deepEqual(await ids({}), [messageIdOf(2)]);
      assert.deepEqual(await ids({ archived: false }), [messageIdOf(2)]);
      assert.deepEqual(await ids({ archived: true }), [messageIdOf(2), messageIdOf(1)]);
    });

    test("are listed newest first, and those of one ms latest born first", async () => {
      await using at = await world.open();
      const times = [5, 1, 9, 5, 5, 0];
      const births = times.map((ms, n) => birth(message(n, { enqueuedMs: START_MS + ms })));
      await commitOne(at.store, { messages: births });
      const listed = await listAll(at.store, {}, 4);
      assert.deepEqual(
        listed.map(({ id }) => id),
        [2, 4, 3, 0, 1, 5].map((n) => messageIdOf(n)),
      );
    });

    test("every filter finds exactly what it names, alone and with others", async () => {
      await using at = await world.open();
      const { store } = at;
      const births = Array.from({ length: 60 }, (_, n) =>
        birth(
          message(n, {
            recipient: `user${n % 4}`,
            listId: n % 3 === 0 ? `list${n % 2}` : null,
            event: `event${n % 5}`,
            notification: `note${n % 6}`,
            traceId: n % 7 === 0 ? `trace${n % 2}` : null,
            tags: n % 2 === 0 ? ["even", `tag${n % 3}`] : [],
            enqueuedMs: START_MS + n,
          }),
        ),
      );
      await commitOne(store, { messages: births });
      await commitOne(store, {
        patches: births
          .filter((_, n) => n % 4 === 1)
          .map(({ message: { id } }) => ({ id, status: "SENT" as const, provider: "smtp" })),
      });
      await commitOne(store, {
        patches: births
          .filter((_, n) => n % 8 === 2)
          .map(({ message: { id } }) => ({ id, status: "FILTERED" as const, provider: "ses" })),
      });
      const all = await listAll(store, {}, 100);
      assert.equal(all.length, 60);
      const questions: readonly (readonly [MessageFilter, (one: MessageRecord) => boolean])[] = [
        [{ recipient: "user1" }, (one) => one.recipient === "user1"],
        [{ list: "list1" }, (one) => one.listId === "list1"],
        [{ event: "event2" }, (one) => one.event === "event2"],
        [{ notification: "note3" }, (one) => one.notification === "note3"],
        [{ traceId: "trace1" }, (one) => one.traceId === "trace1"],
        [{ traceId: requestIdOf(8) }, (one) => one.requestId === requestIdOf(8)],
        [{ messageId: messageIdOf(5) }, (one) => one.id === messageIdOf(5)],
        [{ messageId: messageIdOf(7), traceId: "trace1" }, (one) => one.id === messageIdOf(7)],
        [{ messageId: messageIdOf(7), traceId: "trace0" }, () => false],
        [{ statuses: ["SENT", "FILTERED"] }, (one) => one.status === "SENT" || one.status === "FILTERED"],
        [{ statuses: [] }, () => false],
        [{ providers: ["ses"] }, (one) => one.provider === "ses"],
        [{ tags: ["tag0", "tag2"] }, (one) => one.tags.includes("tag0") || one.tags.includes("tag2")],
        [{ enqueuedAfterMs: START_MS + 40 }, (one) => one.enqueuedMs >= START_MS + 40],
        [
          { recipient: "user0", list: "list0", event: "event0" },
          (one) => one.recipient === "user0" && one.listId === "list0" && one.event === "event0",
        ],
        [
          { recipient: "user2", statuses: ["ENQUEUED"], tags: ["even"] },
          (one) => one.recipient === "user2" && one.status === "ENQUEUED" && one.tags.includes("even"),
        ],
        [
          { list: "list0", enqueuedAfterMs: START_MS + 20, notification: "note0" },
          (one) => one.listId === "list0" && one.enqueuedMs >= START_MS + 20 && one.notification === "note0",
        ],
        [{ recipient: "nobody" }, () => false],
      ];
      for (const [filter, matches] of questions) {
        const found = (await listAll(store, filter, 4)).map(({ id }) => id);
        assert.deepEqual(
          found,
          all.filter(matches).map(({ id }) => id),
          JSON.stringify(filter),
        );
      }
    });

    test("a message that has its request's id for a trace is listed once", async () => {
      await using at = await world.open();
      const own = message(1, { traceId: requestIdOf(1) });
      const other = message(2, { traceId: requestIdOf(1) });
      await commitOne(at.store, { messages: [birth(own), birth(other)] });
      const found = await listAll(at.store, { traceId: requestIdOf(1) }, 1);
      assert.deepEqual(
        found.map(({ id }) => id),
        [other.id, own.id],
      );
    });

    test("pages have no duplicates and no omissions while new messages are born", async () => {
      await using at = await world.open();
      const { store } = at;
      const births = Array.from({ length: 30 }, (_, n) =>
        birth(message(n, { enqueuedMs: START_MS + Math.floor(n / 4) })),
      );
      await commitOne(store, { messages: births });
      const seen: string[] = [];
      let after: string | null = null;
      for (let pages = 0; pages === 0 || after !== null; pages += 1) {
        const page = await store.listMessages({}, { after, limit: 7 });
        seen.push(...page.messages.map(({ id }) => id));
        after = page.next;
        await commitOne(store, { messages: [birth(message(100 + pages, { enqueuedMs: START_MS + 100 + pages }))] });
      }
      assert.equal(seen.length, 30);
      assert.deepEqual(new Set(seen), new Set(births.map((one) => one.message.id)));
    });

    test("a rare message among thousands is found in bounded steps", async () => {
      await using at = await world.open();
      const { store } = at;
      for (let from = 0; from < 12_000; from += 4_000) {
        const messages = Array.from({ length: 4_000 }, (_, n) =>
          birth(message(from + n, { event: from + n === 17 ? "rare" : "common" })),
        );
        assert.deepEqual(await commitOne(store, { messages }), COMMITTED);
      }
      const found = await listAll(store, { event: "rare" }, 10);
      assert.deepEqual(
        found.map(({ id }) => id),
        [messageIdOf(17)],
      );
    });

    test("a cursor that no page has given finds nothing", async () => {
      await using at = await world.open();
      await commitOne(at.store, { messages: [birth(message(1))] });
      for (const after of ["", "nonsense", "1.2.3", "'; --", "99999999999999999999.1"]) {
        assert.deepEqual(await at.store.listMessages({}, { after, limit: 5 }), { messages: [], next: null });
      }
    });
  });
}

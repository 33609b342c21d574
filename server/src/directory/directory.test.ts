import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import type { Directory } from "#directory/directory.ts";
import { subscribersPage } from "#directory/readers.ts";
import { givenDirectory } from "../../test/given-directory.ts";

/**
 * Everything that can be done to lists and the people on them, in any order, beside a model made of maps: what the model
 * says is there is there, and nothing else, by every way of asking.
 */
class Model {
  /** False: deleted, and can come back. */
  readonly lists = new Map<string, boolean>();
  /** `list/user` */
  readonly members = new Set<string>();
  /** Who left by the link in a mail, and has not come back by it. */
  readonly departed = new Set<string>();

  join(listId: string, userIds: readonly string[]): void {
    this.lists.set(listId, true);
    for (const userId of userIds) this.members.add(`${listId}/${userId}`);
  }

  leave(gone: (listId: string, userId: string) => boolean): void {
    for (const member of [...this.members]) {
      const [listId = "", userId = ""] = member.split("/");
      if (gone(listId, userId)) this.members.delete(member);
    }
  }

  on(listId: string): readonly string[] {
    return [...this.members].flatMap((member) => {
      const [list = "", userId = ""] = member.split("/");
      return list === listId ? [userId] : [];
    });
  }
}

type Command = {
  readonly says: string;
  readonly run: (model: Model, directory: Directory) => Promise<void>;
  readonly toString: () => string;
};

function command(says: string, run: Command["run"]): Command {
  return { says, run, toString: () => says };
}

const LISTS = ["news", "news.daily", "offers"];
const USERS = ["ada", "bob", "cyd"];
const list = fc.constantFrom(...LISTS);
const user = fc.constantFrom(...USERS);
const users = fc.uniqueArray(user, { maxLength: 3 });

const COMMANDS: readonly Arbitrary<Command>[] = [
  fc.tuple(list, user).map(([listId, userId]) =>
    command(`${userId} joins ${listId}`, async (model, { subscriptions }) => {
      assert.equal((await subscriptions.subscribe(listId, { userId })).kind, "done");
      model.join(listId, [userId]);
    }),
  ),
  fc.tuple(list, users).map(([listId, userIds]) =>
    command(`${userIds.join(", ")} are added to ${listId}`, async (model, { subscriptions }) => {
      const people = userIds.map((userId) => ({ userId }));
      assert.equal((await subscriptions.add(listId, people)).kind, "done");
      model.join(listId, userIds);
    }),
  ),
  fc.tuple(list, users).map(([listId, userIds]) =>
    command(`exactly ${userIds.join(", ")} are on ${listId}`, async (model, { subscriptions }) => {
      const people = userIds.map((userId) => ({ userId }));
      assert.equal((await subscriptions.replace(listId, people)).kind, "done");
      model.leave((at) => at === listId);
      model.join(listId, userIds);
    }),
  ),
  fc.tuple(user, fc.uniqueArray(list)).map(([userId, listIds]) =>
    command(`${userId} joins ${listIds.join(", ")}`, async (model, { subscriptions }) => {
      const joined = await subscriptions.subscribeUser(
        userId,
        listIds.map((listId) => ({ listId })),
      );
      assert.equal(joined.kind, "done");
      for (const listId of listIds) model.join(listId, [userId]);
    }),
  ),
  fc.tuple(list, user).map(([listId, userId]) =>
    command(`${userId} is taken off ${listId}`, async (model, { subscriptions }) => {
      const known = model.members.has(`${listId}/${userId}`) && model.lists.get(listId) === true;
      const { kind } = await subscriptions.unsubscribe(listId, userId);
      assert.equal(kind, known ? "done" : "refused");
      if (known) model.leave((at, who) => at === listId && who === userId);
    }),
  ),
  fc.tuple(list, user).map(([listId, userId]) =>
    command(`${userId} leaves ${listId} by the link`, async (model, { unsubscribe }) => {
      const farewell = { kind: "list", listId, userId, messageId: null } as const;
      assert.equal((await unsubscribe.leave(farewell)).kind, "done");
      if (model.members.has(`${listId}/${userId}`)) model.departed.add(`${listId}/${userId}`);
      model.leave((at, who) => at === listId && who === userId);
    }),
  ),
  fc.tuple(list, user).map(([listId, userId]) =>
    command(`${userId} comes back to ${listId} by the link`, async (model, { unsubscribe }) => {
      const farewell = { kind: "list", listId, userId, messageId: null } as const;
      assert.equal((await unsubscribe.rejoin(farewell)).kind, "done");
      // The list stays as it is, even when it was deleted meanwhile.
      if (model.departed.delete(`${listId}/${userId}`)) model.members.add(`${listId}/${userId}`);
    }),
  ),
  fc.tuple(list, users).map(([listId, userIds]) =>
    command(`a file of ${userIds.join(", ")} is imported to ${listId}`, async (model, { importRows }) => {
      const imported = await importRows(
        listId,
        userIds.map((userId) => ({ user_id: userId })),
      );
      assert.ok(imported.kind === "done");
      const gone = userIds.filter(
        (userId) => model.departed.has(`${listId}/${userId}`) && !model.members.has(`${listId}/${userId}`),
      );
      const rows = gone.map((userId) => userIds.indexOf(userId));
      assert.deepEqual(
        imported.value.errors.map(({ row }) => row),
        rows.toSorted((one, other) => one - other),
      );
      const come = userIds.filter((userId) => !gone.includes(userId));
      if (come.length > 0) model.join(listId, come);
    }),
  ),
  user.map((userId) =>
    command(`${userId} is taken off every list`, async (model, { subscriptions }) => {
      assert.equal((await subscriptions.removeUser(userId)).kind, "done");
      model.leave((_, who) => who === userId);
    }),
  ),
  user.map((userId) =>
    command(`${userId} is forgotten`, async (model, { profiles }) => {
      assert.equal((await profiles.remove(userId)).kind, "done");
      model.leave((_, who) => who === userId);
    }),
  ),
  list.map((listId) =>
    command(`${listId} is made`, async (model, { lists }) => {
      assert.equal((await lists.put(listId, { name: listId, preferences: null })).kind, "done");
      model.join(listId, []);
    }),
  ),
  list.map((listId) =>
    command(`${listId} is deleted`, async (model, { lists }) => {
      const known = model.lists.get(listId) === true;
      assert.equal((await lists.remove(listId)).kind, known ? "done" : "refused");
      if (known) model.lists.set(listId, false);
    }),
  ),
  list.map((listId) =>
    command(`${listId} is restored`, async (model, { lists }) => {
      const known = model.lists.has(listId);
      assert.equal((await lists.restore(listId)).kind, known ? "done" : "refused");
      if (known) model.lists.set(listId, true);
    }),
  ),
];

test("whatever is done to lists and people, in any order, they are what a few maps say they are", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...COMMANDS), { maxLength: 25 }), async (commands) => {
      const { directory, store } = givenDirectory();
      const model = new Model();
      for (const { run } of commands) {
        await run(model, directory);
        const living = LISTS.filter((listId) => model.lists.get(listId) === true);
        const shown = await directory.lists.list({ pattern: null, after: null, limit: 10 });
        assert.ok(shown.kind === "page");
        assert.deepEqual(
          shown.page.lists.map(({ id }) => id),
          living,
        );
        for (const listId of LISTS) {
          const members = (await subscribersPage(store, listId, null, 10)).map(({ userId }) => userId);
          assert.deepEqual(members, model.on(listId).toSorted(), listId);
        }
        for (const userId of USERS) {
          const { items } = await directory.subscriptions.ofUser(userId, null, 10);
          const theirs = living.filter((listId) => model.members.has(`${listId}/${userId}`));
          assert.deepEqual(items.map((item) => item.list.id).toSorted(), theirs, userId);
        }
      }
    }),
    { numRuns: 120 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { awsSecret, isAccessKeyId } from "#directory/aws-keys.ts";
import { KEYS } from "#directory/collections.ts";
import { type GivenDirectory, givenDirectory } from "../../test/given-directory.ts";

const created = async ({ directory }: GivenDirectory, name = "ci", scopes: readonly string[] = ["send"]) => {
  const made = await directory.keys.create({ name, scopes });
  assert.ok(made.kind === "done");
  return made.value;
};
const living = async ({ directory }: GivenDirectory) =>
  (await directory.keys.list()).filter(({ revokedMs }) => revokedMs === null).map(({ name }) => name);

test("a key is told once and kept only as its digest", async () => {
  const given = givenDirectory();
  const { secret, id, prefix } = await created(given);
  assert.match(secret, /^tk_live_[\w-]{43}$/);
  assert.ok(secret.startsWith(prefix) && prefix.length === 12);
  const kept = await given.store.listDocuments({ collection: KEYS, limit: 10 });
  assert.deepEqual(
    kept.map((document) => document.id),
    [given.secrets.digest(secret)],
  );
  assert.ok(given.secrets.digest(secret).startsWith(id));
  assert.ok(![JSON.stringify(kept), JSON.stringify(await given.happened())].some((text) => text.includes(secret)));
});

test("no two keys are alike", async () => {
  const given = givenDirectory();
  const secrets = await Promise.all(Array.from({ length: 50 }, () => created(given)));
  assert.equal(new Set(secrets.map(({ secret }) => secret)).size, 50);
});

test("a revoked key is still listed, as revoked, and revoking again changes nothing", async () => {
  const given = givenDirectory();
  const { id } = await created(given, "old");
  await created(given, "new");
  given.clock.advance(5);
  assert.equal((await given.directory.keys.revoke(id)).kind, "done");
  assert.equal((await given.directory.keys.revoke(id)).kind, "done");
  assert.deepEqual(await living(given), ["new"]);
  assert.equal((await given.directory.keys.list()).find((key) => key.id === id)?.revokedMs, given.clock.nowMs());
  assert.deepEqual(await given.types(), ["key.created", "key.created", "key.revoked"]);
});

test("nothing but a whole id revokes, and what is unknown is said to be", async () => {
  const given = givenDirectory();
  const { id } = await created(given);
  for (const guess of ["", id.slice(0, 5), "x".repeat(12), "%"]) {
    const refused = await given.directory.keys.revoke(guess);
    assert.ok(refused.kind === "refused" && refused.problem.code === "thing.unknown", guess);
  }
  assert.deepEqual(await living(given), ["ci"]);
});

test("names and scopes that cannot be are refused", async () => {
  const { directory } = givenDirectory();
  for (const wish of [
    { name: "", scopes: ["full"] },
    { name: "x\ny", scopes: ["full"] },
    { name: "x", scopes: [] },
    { name: "x", scopes: ["root"] },
  ]) {
    assert.equal((await directory.keys.create(wish)).kind, "refused", JSON.stringify(wish));
  }
});

test("the first start makes a key and shows it, later ones do not", async () => {
  const given = givenDirectory();
  const first = await given.directory.keys.ensureFirstKey(null);
  assert.ok(first.kind === "done" && first.value?.startsWith("tk_live_"));
  assert.deepEqual(await given.directory.keys.ensureFirstKey(null), { kind: "done", value: null });
  assert.equal((await given.directory.keys.list()).length, 1);
});

test("of nodes that start together, one makes the first key and shows it", async () => {
  const { directory, types } = givenDirectory();
  const made = await Promise.all([1, 2, 3].map(() => directory.keys.ensureFirstKey(null)));
  const shown = made.map((each) => (each.kind === "done" ? each.value : each.kind));
  assert.equal(shown.filter((key) => key !== null).length, 1);
  assert.deepEqual(await types(), ["key.created"]);
});

test("when every key was revoked, the next start makes one again", async () => {
  const given = givenDirectory();
  const { id } = await created(given, "only", ["full"]);
  await given.directory.keys.revoke(id);
  const made = await given.directory.keys.ensureFirstKey(null);
  assert.ok(made.kind === "done" && made.value !== null);
});

test("a key from the setting works, is not shown, and gives way to the next value of the setting", async () => {
  const given = givenDirectory();
  await created(given, "service");
  assert.deepEqual(await given.directory.keys.ensureFirstKey("one"), { kind: "done", value: null });
  await given.directory.keys.ensureFirstKey("one");
  assert.deepEqual(await living(given), ["service", "TIDINGS_API_KEY"]);
  await given.directory.keys.ensureFirstKey("two");
  const keys = await given.directory.keys.list();
  const works = (secret: string) =>
    keys.some(({ id, revokedMs }) => given.secrets.digest(secret).startsWith(id) && revokedMs === null);
  assert.deepEqual([works("one"), works("two")], [false, true]);
  assert.equal(
    keys.some(({ prefix }) => prefix === "two"),
    false,
  );
  await given.directory.keys.ensureFirstKey("one");
  assert.deepEqual(await living(given), ["service", "TIDINGS_API_KEY"]);
});

test("a pair for AWS' clients is listed and revoked like any key, and its secret is kept nowhere", async () => {
  const given = givenDirectory();
  const made = await given.directory.keys.create({ name: "aws", scopes: ["send"], aws: true });
  assert.ok(made.kind === "done");
  const { accessKeyId, secret, id, prefix, aws } = made.value;
  assert.ok(accessKeyId !== null && isAccessKeyId(accessKeyId) && accessKeyId.startsWith(id));
  assert.deepEqual([prefix, aws], [accessKeyId, true]);
  assert.match(secret, /^[A-Za-z0-9+/]{40}$/);
  assert.equal(awsSecret(given.secrets, accessKeyId), secret);
  const kept = await given.store.listDocuments({ collection: KEYS, limit: 10 });
  assert.deepEqual(
    kept.map((document) => document.id),
    [accessKeyId],
  );
  assert.ok(![JSON.stringify(kept), JSON.stringify(await given.happened())].some((text) => text.includes(secret)));
  assert.deepEqual(await living(given), ["aws"]);
  assert.equal((await given.directory.keys.revoke(id)).kind, "done");
  assert.deepEqual(await living(given), []);
});

test("no two pairs are alike, and none tells anything of another's secret", async () => {
  const given = givenDirectory();
  const secrets: string[] = [];
  for (let count = 0; count < 20; count += 1) {
    const made = await given.directory.keys.create({ name: "aws", scopes: ["full"], aws: true });
    secrets.push(made.kind === "done" ? made.value.secret : "");
  }
  assert.equal(new Set(secrets).size, 20);
  assert.notEqual(awsSecret(given.secrets, "TKIAAAAAAAAAAAAAAAAA"), awsSecret(given.secrets, "TKIAAAAAAAAAAAAAAAAB"));
});

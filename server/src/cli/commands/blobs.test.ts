import assert from "node:assert/strict";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { FULL_KEY, givenHouse } from "../../../test/given-http.ts";
import { ran } from "../../../test/support/cli-world.ts";

/** A real door on a port, and a folder to work in. */
async function given() {
  const door = await givenHouse();
  const url = await door.app.listen({ port: 0, host: "127.0.0.1" });
  const folder = await mkdtempDisposable(join(tmpdir(), "tidings-blobs-"));
  const run = (words: readonly string[], stdin = "") =>
    ran(["blobs", ...words, "--url", url, "--key", FULL_KEY], { cwd: folder.path, stdin });
  return {
    ...{ run, folder: folder.path },
    [Symbol.asyncDispose]: async () => {
      await folder.remove();
      await door[Symbol.asyncDispose]();
    },
  };
}

test("a file goes up and comes back byte by byte, and is listed and deleted", async () => {
  await using one = await given();
  const bytes = Buffer.from([0, 255, 128, 10]);
  await writeFile(join(one.folder, "in.png"), bytes);
  const put = await one.run(["put", "photos/ä b.png", "in.png"]);
  assert.deepEqual([put.exit, put.out], [EXIT.ok, "✓ photos/ä b.png  4 bytes, new\n"]);
  assert.match((await one.run(["put", "photos/ä b.png", "in.png"])).out, /replaced/);
  const got = await one.run(["get", "photos/ä b.png", "out.png"]);
  assert.deepEqual([got.exit, await readFile(join(one.folder, "out.png"))], [EXIT.ok, bytes]);
  await one.run(["get", "photos/ä b.png"]);
  assert.deepEqual(await readFile(join(one.folder, "ä b.png")), bytes);
  assert.match((await one.run(["list", "photos/"])).out, /photos\/ä b\.png +4 bytes +image\/png +0s ago/);
  assert.match((await one.run(["list", "other/"])).err, /No file's name begins with other\//);
  assert.equal((await one.run(["rm", "photos/ä b.png"])).exit, EXIT.ok);
  assert.notEqual((await one.run(["rm", "photos/ä b.png"])).exit, EXIT.ok);
  assert.match((await one.run([])).err, /No files/);
});

test("standard input is put, and text is printed", async () => {
  await using one = await given();
  const put = await one.run(["put", "a.json", "-", "--json"], '{"ä":1}');
  assert.deepEqual([JSON.parse(put.out).content_type, JSON.parse(put.out).bytes], ["application/json", 8]);
  assert.equal((await one.run(["get", "a.json", "-"])).out, '{"ä":1}');
  await writeFile(join(one.folder, "x"), Buffer.from([255]));
  await one.run(["put", "x", "x", "--type", "a/b"]);
  const refused = await one.run(["get", "x", "-"]);
  assert.deepEqual([refused.exit, refused.out], [EXIT.usage, ""]);
  assert.match(refused.err, /is no text/);
});

test("one that must be new does not replace, and what cannot be is refused before a server is asked", async () => {
  await using one = await given();
  await one.run(["put", "a", "-"], "one");
  assert.equal((await one.run(["put", "a", "-", "--new"], "two")).exit, EXIT.refused);
  assert.equal((await one.run(["get", "a", "-"])).out, "one");
  for (const words of [
    ["put", "..", "-"],
    ["put", "/a", "-"],
    ["get", "a//b", "-"],
    ["rm", "."],
    ["put", "b", "none"],
  ]) {
    assert.equal((await one.run(words)).exit, EXIT.usage, words.join(" "));
  }
});

test("pages are followed up to the limit", async () => {
  await using one = await given();
  for (const name of ["a", "b", "c"]) await one.run(["put", name, "-"], name);
  const some = await one.run(["list", "--limit", "2", "--json"]);
  assert.deepEqual(
    some.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).name),
    ["a", "b"],
  );
  assert.match((await one.run(["list", "--limit", "2"])).err, /More follow; these are 2 files/);
  assert.equal((await one.run(["list"])).err, "");
});

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { FULL_KEY, givenHouse } from "../../../test/given-http.ts";
import { ran } from "../../../test/support/cli-world.ts";

/** A server with rules, a folder of files, and a command line between them. */
async function given(files: Readonly<Record<string, string>>) {
  const house = await givenHouse();
  const url = await house.app.listen({ port: 0, host: "127.0.0.1" });
  const folder = await mkdtemp(join(tmpdir(), "tidings-rules-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  return {
    write,
    run: (...line: readonly string[]) => ran(["rules", ...line, "--url", url, "--key", FULL_KEY], { cwd: folder }),
    [Symbol.asyncDispose]: async () => {
      await house[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const ORDERS = '{"name":"orders","pattern":{"detail":{"id":[9876543210123456789]}},"targets":[{"queue":"orders"}]}';
const TWO = '[{"name":"a","pattern":{"source":["a"]}},{"name":"b","pattern":{"source":["b"]},"enabled":false}]';

test("files are applied, say what they change, and change nothing the second time", async () => {
  await using world = await given({ "orders.json": ORDERS, "two.json": TWO, "notes.txt": "no" });
  const dry = await world.run("apply", ".", "--dry-run");
  assert.equal(dry.exit, EXIT.no);
  assert.match(dry.out, /^\+ default\/orders\n\+ default\/a\n\+ default\/b\nIt would be 3 rules: 3 created/);
  assert.match((await world.run("list")).err, /^There are no rules\. Make one: /);
  assert.deepEqual(await world.run("apply", "."), {
    exit: EXIT.ok,
    out: "+ default/orders\n+ default/a\n+ default/b\n3 created, 0 changed, 0 deleted, 0 as they were\n",
    err: "",
  });
  assert.equal((await world.run("apply", ".", "--dry-run")).exit, EXIT.ok);
  await world.write("two.json", '[{"name":"a","pattern":{"source":["c"]}}]');
  const pruned = await world.run("apply", ".", "--prune");
  assert.equal(pruned.out, "~ default/a\n- default/b\n0 created, 1 changed, 1 deleted, 1 as they were\n");
});

test("what is exported is what can be applied, numbers as they were written", async () => {
  await using world = await given({ "orders.json": ORDERS });
  await world.run("apply", "orders.json");
  const { out } = await world.run("export");
  assert.match(out, /9876543210123456789/);
  await world.write("orders.json", out);
  assert.match((await world.run("apply", "orders.json")).out, /0 created, 0 changed, 0 deleted, 1 as they were/);
});

test("one rule that is refused stops all before anything is done, and is named", async () => {
  await using world = await given({ "a.json": ORDERS, "b.json": '{"name":"bad","pattern":{"a":"x"}}' });
  const { exit, err } = await world.run("apply", ".");
  assert.equal(exit, EXIT.refused);
  assert.match(err, /b\.json, rule default\/bad: Event pattern is not valid/);
  assert.match((await world.run("list")).err, /^There are no rules\. Make one: /);
});

test("a rule is listed and shown with what of it gave up, apart from what can be applied", async () => {
  await using world = await given({
    "bad.json": '{"name":"bad","pattern":{"source":["shop"]},"targets":[{"send":{"message":{}}}]}',
  });
  await world.run("apply", ".");
  const quiet = await world.run("show", "bad");
  assert.equal(quiet.err, "Nothing waits.\n");
  assert.equal(JSON.parse(quiet.out).name, "bad");
  assert.match((await world.run("list")).out, /^RULE +STATE +TARGETS +PATTERN\n/, "no columns for what there is not");
});

test("files that say nothing sensible are a wrong command line", async () => {
  await using world = await given({
    "text.json": "hello",
    "nameless.json": '{"pattern":{}}',
    "twice.json": '[{"name":"a"},{"name":"a"}]',
  });
  for (const [file, says] of [
    ["text.json", /text\.json is not JSON/],
    ["nameless.json", /a rule needs a name/],
    ["twice.json", /the rule default\/a is in twice\.json too/],
    ["none.json", /none\.json cannot be read/],
  ] as const) {
    const { exit, err } = await world.run("apply", file);
    assert.equal(exit, EXIT.usage);
    assert.match(err, says);
  }
});

test("one rule is put, shown, switched and deleted by its name", async () => {
  await using world = await given({ "orders.json": ORDERS });
  assert.equal((await world.run("put", "orders", "orders.json")).out, "✓ orders is there now.\n");
  assert.equal((await world.run("disable", "orders")).out, "✓ orders is off.\n");
  assert.equal(JSON.parse((await world.run("show", "orders")).out).enabled, false);
  assert.match((await world.run("list")).out, /default\/orders +off +queue orders/);
  assert.equal((await world.run("enable", "orders")).exit, EXIT.ok);
  assert.equal((await world.run("delete", "orders")).exit, EXIT.ok);
  assert.equal((await world.run("delete", "orders")).exit, EXIT.no);
});

test("a pattern is tried on an event, and the exit code says whether it matches", async () => {
  const event = '{"id":"1","account":"0","source":"s","time":"t","region":"r","detail-type":"d","detail":{"id":1}}';
  await using world = await given({ "orders.json": ORDERS, "p.json": '{"source":["s"]}', "event.json": event });
  assert.equal((await world.run("test", "p.json", "event.json")).exit, EXIT.ok);
  const no = await world.run("test", "orders.json", "event.json");
  assert.deepEqual([no.exit, no.out], [EXIT.no, "✗ It does not match: detail.id is 1.\n"]);
});

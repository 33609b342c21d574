import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { FULL_KEY, givenHouse } from "../../../test/given-http.ts";
import { type Ran, ran, type WorldWishes } from "../../../test/support/cli-world.ts";

let given: Awaited<ReturnType<typeof givenHouse>>;
let flags: readonly string[];
const folder = mkdtempSync(join(tmpdir(), "tidings-schemas-"));
before(async () => {
  given = await givenHouse();
  const url = await given.app.listen({ port: 0, host: "127.0.0.1" });
  flags = ["--url", url, "--key", FULL_KEY];
});
after(async () => {
  await given[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function run(line: readonly string[], wishes: WorldWishes = {}): Promise<Ran> {
  return ran([...line, ...flags], { cwd: folder, ...wishes });
}

function file(name: string, schema: object): string {
  writeFileSync(join(folder, name), JSON.stringify(schema));
  return name;
}

const TOTAL = {
  type: "object",
  required: ["total"],
  properties: { total: { type: "number" }, note: { type: "string" } },
};

describe("tidings schemas", () => {
  test("put, list, show: from a file named after its type", async () => {
    const first = await run(["schemas", "put", file("shop.order.json", TOTAL)]);
    assert.deepEqual(first, { exit: EXIT.ok, out: "✓ shop.order: version 1 is here now\n", err: "" });
    assert.match((await run(["schemas", "put", "shop.order.json"])).out, /version 1 says so already/);
    assert.match((await run(["schemas", "put", "-", "--type", "x"], { stdin: "{}" })).out, /x: version 1/);
    assert.match((await run(["schemas"])).out, /shop\.order +1 /);
    const shown = await run(["schemas", "show", "shop.order", "--version", "1"]);
    assert.deepEqual(JSON.parse(shown.out), TOTAL);
    assert.equal((await run(["schemas", "show", "nothing"])).exit, EXIT.no);
  });

  test("check ends with 0 for what can be read, and with 1 for what breaks, and says why", async () => {
    await run(["schemas", "put", file("c.order.json", TOTAL)]);
    const fine = await run(["schemas", "check", file("c.order.json", { ...TOTAL, required: ["total", "note"] })]);
    assert.deepEqual(fine, {
      exit: EXIT.ok,
      out: "✓ /note is always there now\n✓ c.order: can be read by whoever was made for version 1\n",
      err: "",
    });
    const rule = { bus: "default", name: "big", pattern: '{"detail":{"note":["x"]}}', state: "ENABLED" } as const;
    await given.house.rules.rules.put({ ...rule, schedule: null, description: null, roleArn: null, tags: null });
    const worse = { type: "object", properties: { total: { type: ["number", "null"] } } };
    const broken = await run(["schemas", "check", file("next.json", worse), "--type", "c.order"]);
    assert.equal(broken.exit, EXIT.no);
    assert.deepEqual(broken.out.split("\n"), [
      "✗ /total may be null now; it was number",
      "✗ /total may be left out now",
      "✗ /note goes away",
      "  rule default/big reads detail.note in its pattern",
      "✗ c.order: breaks whoever was made for version 1",
      "",
    ]);
    await run(["schemas", "put", file("u.order.json", { pattern: "^a" })]);
    const unsure = file("u.order.json", { pattern: "^b" });
    assert.equal((await run(["schemas", "check", unsure])).exit, EXIT.no);
    assert.equal((await run(["schemas", "check", unsure, "--unsure-is-fine"])).exit, EXIT.ok);
    assert.equal((await run(["schemas", "check", file("new.order.json", TOTAL)])).exit, EXIT.ok);
    assert.equal((await run(["schemas", "check", file("bad.json", { type: 1 })])).exit, EXIT.refused);
    assert.equal((await run(["schemas", "check", "missing.json"])).exit, EXIT.usage);
  });

  test("policy shows and sets, and leaves alone what was not said", async () => {
    assert.match((await run(["schemas", "policy"])).out, /Nothing is asked/);
    await run(["schemas", "policy", "/till", "--unfit", "quarantine"]);
    const both = await run(["schemas", "policy", "/till", "--unknown", "reject", "--json"]);
    assert.deepEqual(JSON.parse(both.out), { source: "/till", unfit: "quarantine", unknown: "reject" });
    assert.equal((await run(["schemas", "policy", "/till", "--unfit", "maybe"])).exit, EXIT.usage);
    await run(["schemas", "policy", "/till", "--remove"]);
    assert.match((await run(["schemas", "policy"])).out, /Nothing is asked/);
  });

  test("an event that does not fit is quarantined, shown, and released or dropped", async () => {
    await run(["schemas", "put", file("q.order.json", TOTAL)]);
    await run(["schemas", "policy", "/shop", "--unfit", "quarantine"]);
    const send = (id: string) => run(["events", "send", "q.order", "--source", "/shop", "--id", id, "--data", "{}"]);
    const aside = await send("q-1");
    assert.equal(aside.exit, EXIT.no);
    assert.match(aside.out, /quarantined {2}q-1/);
    assert.match(aside.err, /required property 'total'/);
    await send("q-2");
    const listed = await run(["schemas", "quarantine", "--json"]);
    const [first] = listed.out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { key: string }).key);
    assert.ok(first !== undefined);
    assert.match((await run(["schemas", "quarantine"])).out, /q\.order/);
    assert.match((await run(["schemas", "quarantine", "release", first])).out, /1 event released/);
    assert.match((await run(["schemas", "quarantine", "drop", "--all", "--type", "q.order"])).out, /1 event dropped/);
    assert.match((await run(["schemas", "quarantine"])).out, /Nothing is quarantined/);
    assert.equal((await run(["schemas", "quarantine", "drop"])).exit, EXIT.usage);
  });

  test("off, on and remove; types are TypeScript", async () => {
    await run(["schemas", "put", file("t.order.json", TOTAL)]);
    assert.match((await run(["schemas", "types"])).out, /export type TOrder = /);
    assert.match((await run(["schemas", "off", "t.order"])).out, /t\.order is off/);
    assert.doesNotMatch((await run(["schemas", "types"])).out, /TOrder/);
    assert.match((await run(["schemas", "on", "t.order"])).out, /is active/);
    assert.match((await run(["schemas", "remove", "t.order"])).out, /Removed/);
    assert.equal((await run(["schemas", "remove", "t.order"])).exit, EXIT.no);
  });
});

describe("tidings events send", () => {
  test("sends data as it was written, from the line, a file or standard input", async () => {
    const lines = [
      { id: "s-1", more: ["--data", '{"n":1.0}'], stdin: "" },
      { id: "s-2", more: ["--file", "-"], stdin: '{"n":1.0}' },
      { id: "s-3", more: [], stdin: "" },
    ];
    for (const { id, more, stdin } of lines) {
      const said = await run(["events", "send", "a.b", "--id", id, "--bus", "night", ...more], { stdin });
      assert.deepEqual(said, { exit: EXIT.ok, out: `✓ kept  ${id}\n`, err: "" });
    }
    const { events } = await given.house.store.readJournal({ after: 0, limit: 1_000 });
    const kept = events.filter(({ type }) => type === "a.b");
    assert.deepEqual(
      kept.map(({ data, source, attributes }) => [data, source, attributes]),
      [
        ['{"n":1.0}', "full", '{"bus":"night"}'],
        ['{"n":1.0}', "full", '{"bus":"night"}'],
        ["null", "full", '{"bus":"night"}'],
      ],
    );
  });

  test("says what is wrong", async () => {
    assert.equal((await run(["events", "send", "a.b", "--data", "{"])).exit, EXIT.usage);
    assert.equal((await run(["events", "send", "a.b", "--data", "1", "--file", "x"])).exit, EXIT.usage);
    const refused = await run(["events", "send", "a.b", "--source", "tidings"]);
    assert.equal(refused.exit, EXIT.refused);
    assert.match(refused.err, /own events/);
  });
});

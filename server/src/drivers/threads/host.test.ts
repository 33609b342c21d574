import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { openThreadHost } from "#drivers/threads/open.ts";
import type { DeclaredFunction, FunctionHost, FunctionReads, Invocation, Invoked } from "#ports/function-host.ts";
import { silentLog } from "#ports/log.ts";

const root = mkdtempSync(join(tmpdir(), "tidings-threads-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

const SECRET = "s3cr3t-of-the-shop";
const NO_READS: FunctionReads = {
  documents: () => Promise.resolve([null]),
  query: () => Promise.reject(new Error("customers has no index city")),
  subscriptions: () => Promise.resolve({ subscriptions: [], next: null }),
  blob: () => Promise.resolve(new Uint8Array([104, 105])),
};
const NEVER = new AbortController().signal;

/** A project with these files in its functions' folder. */
async function given(files: Readonly<Record<string, string>>) {
  folders += 1;
  const folder = join(root, `f${folders}`, "functions");
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const place = { folder, root: dirname(folder), settings: { shop: "Ada's" }, secrets: { key: SECRET } };
  const host = openThreadHost({ place, log: silentLog });
  const loaded = await host.load();
  host.use(loaded);
  const find = (name: string): DeclaredFunction => {
    const declared = loaded.functions.find((one) => one.name === name);
    assert(declared !== undefined, `${name} is loaded: ${JSON.stringify(loaded.faults)}`);
    return declared;
  };
  return { host, loaded, folder, find, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() };
}

let ids = 0;
function call(declared: DeclaredFunction, input: unknown = [], changes: Partial<Invocation> = {}): Invocation {
  ids += 1;
  const common = { attempt: 1, idSeed: "0".repeat(20), traceparent: null, alone: false };
  return { id: `inv${ids}`, declared, key: `k${ids}`, input: JSON.stringify(input), ...common, ...changes };
}

function invoke(host: FunctionHost, one: Invocation): Promise<Invoked> {
  return host.invoke(one, NO_READS, NEVER);
}

const queueFunction = (body: string, options = ""): string =>
  `import { defineFunction, queue } from "tidings";
export default defineFunction({
  on: queue("work"),${options}
  async handler(batch, context) { ${body} },
});\n`;

describe("a function in a thread", () => {
  test("is found by its file, declares what starts it, and tells what it emitted, returned and logged", async () => {
    await using at = await given({
      "billing/charge.ts": queueFunction(
        `console.log("one", { two: 2 }); context.log.warn("key is ${SECRET}", { key: context.secrets.key });
         context.events.raise({ type: "charged", data: batch }); context.queues.send("next", { a: 1 });
         const id = context.send({ to: { email: "ada@example.com" }, content: { title: "Hi", body: "Ho" } });
         context.documents.put({ name: "orders", indexes: [] }, "1", { id });
         const own = await context.documents.get({ name: "orders", indexes: [] }, "1");
         return { failed: [own.value.id, context.settings.shop] };`,
        " timeoutMs: 5_000, concurrency: 3,",
      ),
      "_hidden.ts": "throw new Error('it is not to be loaded');",
      "shared.ts": "export const answer: number = 42;",
    });
    assert.deepEqual(at.loaded.faults, []);
    const declared = at.find("billing.charge");
    assert.deepEqual(at.loaded.functions, [declared]);
    const { file, line, timeoutMs, concurrency, attempts } = declared;
    assert.deepEqual(
      { file, line, timeoutMs, concurrency, attempts },
      { file: "functions/billing/charge.ts", line: 2, timeoutMs: 5_000, concurrency: 3, attempts: 5 },
    );
    const ended = await invoke(at.host, call(declared, [{ id: "m1" }]));
    assert(ended.kind === "returned", JSON.stringify(ended));
    const { requestId = "" } = ended.emitted.sends[0] ?? {};
    assert.match(requestId, /^1-[0-9a-f]{8}-0{24}$/);
    assert.equal(ended.output, JSON.stringify({ failed: [requestId, "Ada's"] }));
    assert.deepEqual(
      ended.emitted.events.map(({ type, source, data }) => [type, source, data]),
      [["charged", "/functions/billing.charge", '[{"id":"m1"}]']],
    );
    assert.deepEqual(
      ended.emitted.queued.map(({ queue, body }) => [queue, body]),
      [["next", '{"a":1}']],
    );
    assert.deepEqual(
      ended.emitted.documents.map(({ collection, id, version }) => [collection, id, version]),
      [["orders", "1", null]],
    );
    assert.deepEqual(
      ended.logs.map(({ level, text, fields }) => [level, text, fields]),
      [
        ["info", "one { two: 2 }", null],
        ["warn", "key is ***", '{"key":"***"}'],
      ],
    );
  });

  test("that throws is told with the line, and nothing that it emitted", async () => {
    await using at = await given({
      "a.ts": queueFunction(`context.events.raise({ type: "x" });\n    throw new RangeError("no ${SECRET}");`),
      "b.ts": queueFunction(`throw null;`),
      "c.ts": queueFunction(`throw new Proxy({}, { get() { throw new Error("inner"); } });`),
      "d.ts": queueFunction(`return 10n;`),
      "e.ts": queueFunction(`const a = {}; a.a = a; return a;`),
      "f.ts": queueFunction(`context.documents.put({ name: "x", indexes: [] }, "1", [1]);`),
      "g.ts": queueFunction(
        `await context.documents.query({ name: "customers", indexes: [] }, { where: { city: "x" } });`,
      ),
      "h.ts": queueFunction(`for (;;) context.events.raise({ type: "x" });`),
    });
    const says = async (name: string) => {
      const ended = await invoke(at.host, call(at.find(name)));
      assert(ended.kind === "failed", JSON.stringify(ended));
      assert.deepEqual(Object.keys(ended).toSorted(), ["error", "kind", "logs"]);
      return `${ended.error.name}: ${ended.error.says} ${ended.error.at ?? "-"}`;
    };
    assert.equal(await says("a"), "RangeError: no *** functions/a.ts:5:11");
    assert.equal(await says("b"), "Error: it threw null -");
    assert.match(await says("c"), /^Error: it threw something that cannot be read/);
    assert.match(await says("d"), /^BadOutput: the handler: what it returned is no JSON: .*BigInt.* -$/);
    assert.match(await says("e"), /^BadOutput: the handler: what it returned is no JSON: Converting circular/);
    assert.match(
      await says("f"),
      /^TypeError: documents.put: a document is an object, not an object functions\/f.ts:4:/,
    );
    assert.match(await says("g"), /^Error: customers has no index city/);
    assert.match(await says("h"), /^RangeError: events.raise: a call emits at most 2000 things functions\/h.ts:4:/);
  });

  test("that never ends is told to, and nobody waits for it longer than its time", async () => {
    await using at = await given({
      "lingers.ts": queueFunction(`await new Promise(() => {});`, " timeoutMs: 80,"),
      "gives-up.ts": queueFunction(
        `await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason)));`,
        " timeoutMs: 80,",
      ),
      "loops.ts": queueFunction(`for (;;) {}`, " timeoutMs: 80,"),
    });
    for (const name of ["lingers", "gives-up", "loops"]) {
      const ended = await invoke(at.host, call(at.find(name)));
      assert(ended.kind === "failed");
      assert.equal(ended.error.name, "Timeout", name);
      assert.match(
        ended.error.says,
        name === "loops" ? /within 80 ms, and its thread did not answer: it loops$/ : /within 80 ms$/,
      );
      const again = await invoke(at.host, call(at.find(name)));
      assert.equal(again.kind, "failed", "the next call has a thread that works");
    }
  });

  test("that ends its thread is to blame only when it was alone in it; others are unharmed", async () => {
    const killer = `if (batch === "kill") KILL; await new Promise((resolve) => setTimeout(resolve, 30)); return "fine";`;
    const kills = {
      exits: `process.exit(3)`,
      leaks: `{ const all = []; for (;;) all.push(new Array(10_000).fill(all.length)); }`,
      uncaught: `{ setTimeout(() => { throw new Error("later"); }); await new Promise(() => {}); }`,
      rejects: `{ void Promise.reject(new Error("nobody waits")); await new Promise(() => {}); }`,
      buffers: `{ const all = []; for (;;) { all.push(Buffer.alloc(4 * 1024 * 1024, 1)); await new Promise((resolve) => setTimeout(resolve, 1)); } }`,
    };
    await using at = await given({
      ...Object.fromEntries(
        Object.entries(kills).map(([name, kill]) => [
          `${name}.ts`,
          queueFunction(killer.replace("KILL", kill), " memoryMb: 24, timeoutMs: 20_000,"),
        ]),
      ),
      "other.ts": queueFunction(`return "untouched";`),
    });
    const names = { exits: "Exit", leaks: "OutOfMemory", uncaught: "Error", rejects: "Error", buffers: "OutOfMemory" };
    await Promise.all(
      Object.entries(names).map(async ([name, error]) => {
        const declared = at.find(name);
        const [killed, beside] = await Promise.all([
          invoke(at.host, call(declared, "kill")),
          name === "leaks" ? null : invoke(at.host, call(declared, "beside")),
        ]);
        if (beside?.kind === "innocent" || name === "leaks") {
          assert.equal(killed.kind, name === "leaks" ? "failed" : "innocent", name);
        }
        const alone = await invoke(at.host, call(declared, "kill", { alone: true }));
        assert(alone.kind === "failed", `${name}: ${JSON.stringify(alone)}`);
        assert.equal(alone.error.name, error, alone.error.says);
        const good = await invoke(at.host, call(declared, "good"));
        assert(good.kind === "returned" && good.output === '"fine"', name);
      }),
    );
    const other = await invoke(at.host, call(at.find("other")));
    assert(other.kind === "returned");
  });

  test("keeps no more of what is logged than a call may have", async () => {
    await using at = await given({
      "chatty.ts": queueFunction(`for (let n = 0; n < 10_000; n += 1) console.log("line", n);`),
    });
    const ended = await invoke(at.host, call(at.find("chatty")));
    assert.equal(ended.logs.length, 201);
    assert.match(ended.logs.at(-1)?.text ?? "", /^More was logged/);
  });

  test("sees none of the server's own secrets in its environment", async () => {
    process.env["TIDINGS_API_KEY"] ??= "tk_of_the_server";
    await using at = await given({
      "env.ts": queueFunction(`return Object.keys(process.env).filter((name) => name.startsWith("TIDINGS_"));`),
    });
    const ended = await invoke(at.host, call(at.find("env")));
    assert(ended.kind === "returned");
    assert.equal(ended.output, "[]");
  });

  test("waits in its thread for the next call, but when many others have been called since", async () => {
    const names = Array.from({ length: 18 }, (_, n) => `f${n}`);
    const started = `const started = process.hrtime.bigint().toString();\n`;
    await using at = await given(
      Object.fromEntries(names.map((name) => [`${name}.ts`, started + queueFunction("return started;")])),
    );
    const startedOf = async (name: string): Promise<string> => {
      const ended = await invoke(at.host, call(at.find(name)));
      assert(ended.kind === "returned");
      return ended.output ?? "";
    };
    const first = new Map<string, string>();
    for (const name of names) first.set(name, await startedOf(name));
    assert.equal(await startedOf("f17"), first.get("f17"));
    assert.equal(await startedOf("f9"), first.get("f9"));
    assert.notEqual(await startedOf("f0"), first.get("f0"));
  });

  test("reads documents and its blob through the server", async () => {
    await using at = await given({
      "blob.ts": `import { blob, defineFunction } from "tidings";
        export default defineFunction({ on: blob("in/"), async handler(file) { return [file.name, await file.text()]; } });`,
    });
    const ended = await invoke(at.host, call(at.find("blob"), { name: "in/a", blobId: "b1" }));
    assert(ended.kind === "returned", JSON.stringify(ended));
    assert.equal(ended.output, '["in/a","hi"]');
  });
});

describe("files that cannot be loaded", () => {
  test("are told with their line, and the others are loaded", async () => {
    await using at = await given({
      "good.ts": queueFunction(""),
      "missing.ts": `import { x } from "not-there";\nexport default x;\n`,
      "relative.ts": `// first\nimport { x } from "./nowhere.ts";\nexport default x;\n`,
      "syntax.ts": `const a = 1;\nconst b = ;\n`,
      "throws.ts": `const a: number = 1;\n\nthrow new Error("at import");\n`,
      "no-function.ts": `export default { on: 1 };\n`,
      "enum.ts": `enum A { B }\nexport default A;\n`,
      "range.ts": `import { defineFunction, queue } from "tidings";\n\nexport default defineFunction({ on: queue("a", { batchSize: 0 }), handler() {} });\n`,
      "trigger.ts": `import { defineFunction } from "tidings";\nexport default defineFunction({ on: {} as never, handler() {} });\n`,
      "handler.ts": `import { defineFunction, queue } from "tidings";\nexport default defineFunction({ on: queue("a"), handler: 1 as never });\n`,
      "exits.ts": `process.exit(0);\n`,
      "bad name.ts": queueFunction(""),
      "twice.ts": queueFunction(""),
      "twice.mts": queueFunction(""),
    });
    assert.deepEqual(at.loaded.functions.map(({ name }) => name).toSorted(), ["good", "twice"]);
    const faults = Object.fromEntries(at.loaded.faults.map(({ file, line, says }) => [file, `${line}: ${says}`]));
    const expected: Readonly<Record<string, RegExp>> = {
      "functions/missing.ts": /^1: Cannot find package 'not-there'/,
      "functions/relative.ts": /^2: Cannot find module .*nowhere.ts/,
      "functions/syntax.ts": /^2: /,
      "functions/throws.ts": /^3: at import$/,
      "functions/no-function.ts": /^1: its default export is no function/,
      "functions/enum.ts": /^1: .*enum/i,
      "functions/range.ts": /^3: batchSize is a whole number from 1 to 1000$/,
      "functions/trigger.ts": /^2: on is not a trigger/,
      "functions/handler.ts": /^2: handler is not a function$/,
      "functions/exits.ts": /process\.exit/,
      "functions/bad name.ts": /a function's file is named with letters/,
      "functions/twice.ts": /functions\/twice.mts has the same name/,
    };
    for (const [file, says] of Object.entries(expected)) assert.match(faults[file] ?? "no fault", says, file);
    assert.deepEqual(Object.keys(faults).toSorted(), Object.keys(expected).toSorted());
  });
});

describe("changed files", () => {
  test("are told also when they lie beside the functions' folder and are imported", async () => {
    await using at = await given({
      "a.ts": `import { word } from "../lib/word.ts";\n${queueFunction("return word;")}`,
      "../lib/word.ts": `export const word = "old";`,
    });
    const changed = new Promise<void>((resolve) => at.host.onChanged(resolve));
    writeFileSync(join(at.folder, "../lib/word.ts"), `export const word = "new";`);
    await changed;
  });

  test("are told, and used for calls that begin afterwards, with what they import", async () => {
    await using at = await given({
      "a.ts": `import { word } from "./word.ts";\n${queueFunction("await new Promise((resolve) => setTimeout(resolve, 50)); return word;")}`,
      "word.ts": `export const word = "old";`,
    });
    const changed = new Promise<void>((resolve) => at.host.onChanged(resolve));
    await invoke(at.host, call(at.find("a")));
    const before = invoke(at.host, call(at.find("a")));
    writeFileSync(join(at.folder, "word.ts"), `export const word = "new";`);
    await changed;
    at.host.use(await at.host.load());
    const after = invoke(at.host, call(at.find("a")));
    assert.deepEqual(
      (await Promise.all([before, after])).map((ended) => (ended.kind === "returned" ? ended.output : ended)),
      ['"old"', '"new"'],
    );
  });
});

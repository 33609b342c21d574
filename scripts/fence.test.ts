import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { breachesOf, checkFence, FENCE, importsOf, ROOT } from "./fence.ts";

/** One breach and one permitted import for every row of the table. */
const ROWS: Readonly<
  Record<string, { readonly file: string; readonly bad: readonly string[]; readonly good: string }>
> = {
  contract: {
    file: "contract/src/x.ts",
    bad: ["../../server/src/domain/ids.ts", "node:fs", "fastify"],
    good: "typebox",
  },
  sdk: {
    file: "sdk/src/x.ts",
    bad: ["../../server/src/domain/ids.ts", "@tidings/contract", "@tidings/server", "node:fs", "typebox"],
    good: "./triggers.ts",
  },
  console: { file: "console/src/x.tsx", bad: ["../../server/src/domain/ids.ts", "node:fs"], good: "@tidings/contract" },
  domain: { file: "server/src/domain/x.ts", bad: ["#ports/clock.ts", "node:crypto", "undici"], good: "#domain/ids.ts" },
  ports: { file: "server/src/ports/x.ts", bad: ["#engine/stage.ts", "node:fs", "pino"], good: "#domain/ids.ts" },
  config: { file: "server/src/config/x.ts", bad: ["#ports/clock.ts", "node:fs"], good: "#domain/limits.ts" },
  templates: { file: "server/src/templates/x.ts", bad: ["#ports/clock.ts", "node:fs"], good: "#domain/content.ts" },
  engine: {
    file: "server/src/engine/x.ts",
    bad: ["#drivers/system/clock.ts", "../drivers/system/clock.ts", "../ports/clock.ts", "node:crypto", "nodemailer"],
    good: "#ports/clock.ts",
  },
  directory: {
    file: "server/src/directory/x.ts",
    bad: ["#drivers/system/clock.ts", "node:fs"],
    good: "#ports/store.ts",
  },
  pipeline: {
    file: "server/src/pipeline/x.ts",
    bad: ["#providers/webhook/provider.ts", "#drivers/system/clock.ts", "node:crypto", "undici"],
    good: "#ports/provider.ts",
  },
  queues: {
    file: "server/src/queues/x.ts",
    bad: ["#rules/rule.ts", "#pipeline/accept.ts", "node:crypto"],
    good: "#ports/store.ts",
  },
  rules: {
    file: "server/src/rules/x.ts",
    bad: ["#webhooks/desk.ts", "#doors/http/check.ts", "node:crypto", "ajv"],
    good: "#pipeline/accept.ts",
  },
  webhooks: {
    file: "server/src/webhooks/x.ts",
    bad: ["#queues/desk.ts", "#providers/webhook/provider.ts", "undici"],
    good: "#rules/rule.ts",
  },
  schemas: {
    file: "server/src/schemas/x.ts",
    bad: ["#doors/http/check.ts", "node:fs", "fastify"],
    good: "ajv",
  },
  documents: {
    file: "server/src/documents/x.ts",
    bad: ["#functions/book.ts", "#directory/keys.ts", "node:crypto"],
    good: "#engine/change.ts",
  },
  blobs: {
    file: "server/src/blobs/x.ts",
    bad: ["#functions/book.ts", "#drivers/fs/blob-store.ts", "node:fs"],
    good: "#ports/blob-store.ts",
  },
  functions: {
    file: "server/src/functions/x.ts",
    bad: ["#drivers/threads/open.ts", "#doors/http/check.ts", "node:worker_threads", "fastify"],
    good: "tidings",
  },
  topology: {
    file: "server/src/topology/x.ts",
    bad: ["#drivers/system/clock.ts", "#doors/http/check.ts", "node:fs"],
    good: "#functions/book.ts",
  },
  observers: {
    file: "server/src/observers/x.ts",
    bad: ["#drivers/system/clock.ts", "node:fs"],
    good: "#ports/store.ts",
  },
  doors: {
    file: "server/src/doors/http/x.ts",
    bad: ["#drivers/system/clock.ts", "#providers/webhook/provider.ts", "nodemailer"],
    good: "@fastify/swagger",
  },
  "drivers/*": {
    file: "server/src/drivers/fs/x.ts",
    bad: ["#drivers/system/clock.ts", "../system/clock.ts", "#engine/stage.ts", "@tidings/contract"],
    good: "node:fs/promises",
  },
  "drivers/threads": {
    file: "server/src/drivers/threads/x.ts",
    bad: ["#drivers/inline/host.ts", "#engine/stage.ts", "undici"],
    good: "tidings",
  },
  "providers/*": {
    file: "server/src/providers/webhook/x.ts",
    bad: ["#providers/mailbox/provider.ts", "../mailbox/provider.ts", "#drivers/system/clock.ts"],
    good: "undici",
  },
  conformance: {
    file: "server/conformance/x.ts",
    bad: ["#engine/stage.ts", "../src/ports/clock.ts"],
    good: "#ports/clock.ts",
  },
  app: {
    file: "server/src/app/x.ts",
    bad: ["#conformance/blob-store.ts", "@tidings/server"],
    good: "#drivers/system/clock.ts",
  },
  cli: { file: "server/src/cli/x.ts", bad: ["#conformance/blob-store.ts"], good: "#drivers/system/clock.ts" },
  scripts: { file: "scripts/x.ts", bad: ["../server/src/domain/ids.ts", "fastify"], good: "node:fs" },
  bench: {
    file: "bench/src/x.ts",
    bad: ["../../scripts/fence.ts", "@tidings/server"],
    good: "../../server/src/drivers/system/clock.ts",
  },
  examples: { file: "examples/lists/x.ts", bad: ["../../server/src/domain/ids.ts"], good: "@tidings/contract" },
  test: { file: "server/test/x.ts", bad: ["@tidings/server"], good: "../src/drivers/system/clock.ts" },
};

test("every row of the fence is tried out", () => {
  assert.deepEqual(Object.keys(ROWS).toSorted(), Object.keys(FENCE).toSorted());
});

for (const [name, { file, bad, good }] of Object.entries(ROWS)) {
  test(`${name} is stopped where its row ends, and not before`, () => {
    for (const specifier of bad) {
      const breaches = breachesOf(file, `import { x } from "${specifier}";\n`);
      assert.equal(breaches.length, 1, `${file} could import ${specifier}`);
    }
    assert.deepEqual(breachesOf(file, `import { x } from "${good}";\n`), []);
  });
}

test("no way of spelling an import gets over the fence", () => {
  const ways = [
    `import fs from "node:fs";`,
    `import * as fs from 'node:fs';`,
    `import {\n  readFileSync,\n  type Stats,\n} from "node:fs";`,
    `import type { Stats } from "node:fs";`,
    `import "node:fs";`,
    `export * from "node:fs";`,
    `export { readFileSync } from "node:fs";`,
    `export type { Stats } from "node:fs";`,
    `const fs = await import("node:fs");`,
    "const fs = await import(`node:fs`);",
    `type Stats = import("node:fs").Stats;`,
    `const fs = require("node:fs");`,
    `const quote = /["'\`]/; const fs = await import(/* why */ "node:fs");`,
    `const fs = await import(name);`,
  ];
  for (const way of ways) assert.equal(breachesOf("server/src/engine/x.ts", way).length, 1, way);
});

test("words in comments and texts are not imports, and lines are counted right", () => {
  const text = [
    `// import fs from "node:fs";`,
    `/* import fs from "node:fs"; */`,
    `const help = \`\nimport fs from "node:fs";\n\`;`,
    `const say = 'import fs from "node:fs"';`,
    `import { test } from "node:test";`,
  ].join("\n");
  assert.deepEqual(importsOf(text), [{ specifier: "node:test", line: 7 }]);
});

test("a test may import any room of its workspace", () => {
  assert.deepEqual(
    breachesOf("server/src/engine/x.test.ts", `import "#drivers/system/clock.ts"; import "node:fs";`),
    [],
  );
  assert.equal(breachesOf("contract/src/x.test.ts", `import "../../server/src/domain/ids.ts";`).length, 1);
});

test("a folder that has no row is reported, so that a new room cannot stand outside the fence", () => {
  assert.match(breachesOf("server/src/annex/x.ts", "")[0]?.says ?? "", /no room/);
});

test("the repository keeps its own fence, and a file that breaks it is found on disk", (t) => {
  assert.deepEqual(checkFence(), []);
  const root = tempTree(t, {
    "server/src/engine/x.ts": `import "#drivers/fs/y.ts";`,
    "server/src/drivers/fs/y.ts": "",
  });
  assert.deepEqual(
    checkFence(root).map((breach) => breach.file),
    ["server/src/engine/x.ts"],
  );
});

test("the linter stops what the rooms must not do by themselves", (t) => {
  const probes: Readonly<Record<string, readonly [text: string, rule: string]>> = {
    "server/src/engine/a.ts": ["export const a = Date.now();", "no-restricted-properties"],
    "server/src/engine/b.ts": ["export const b = Math.random();", "no-restricted-properties"],
    "server/src/pipeline/c.ts": ["export const c = setTimeout(() => {}, 1);", "no-restricted-globals"],
    "server/src/doors/d.ts": [`export const d = process.env["HOME"];`, "no-process-env"],
    "server/src/app/e.ts": [`console.log("e"); export {};`, "no-console"],
    "server/src/domain/f.ts": ["const f = 1; export default f;", "no-default-export"],
    "server/src/domain/g.ts": ["export const g: any = 1;", "no-explicit-any"],
    "server/src/domain/h.ts": ["export const h = (x: string | null) => x!;", "no-non-null-assertion"],
    "server/src/domain/i.ts": ["async function i() {}\ni();\nexport {};", "no-floating-promises"],
    "server/src/domain/j.ts": ["[1].forEach(async () => {});\nexport {};", "no-misused-promises"],
    "server/src/domain/k.ts": [`import { l } from "./l.ts";\nexport const k = () => l;`, "no-cycle"],
    "server/src/drivers/sqlite/m.ts": ["export const m = Date.now();", "no-restricted-properties"],
  };
  const allowed: Readonly<Record<string, string>> = {
    "server/src/domain/l.ts": `import { k } from "./k.ts";\nexport const l = () => k;`,
    "server/src/drivers/system/n.ts": "export const n = Date.now() + Math.random();",
    "server/src/providers/x/o.ts": "export const o = setTimeout(() => {}, 1);",
    "server/src/cli/p.ts": `console.log(process.env["HOME"]);\nexport {};`,
  };
  const root = tempTree(t, {
    ...Object.fromEntries(Object.entries(probes).map(([file, [text]]) => [file, text])),
    ...allowed,
  });
  for (const file of [".oxlintrc.json", "tsconfig.json"]) cpSync(join(ROOT, file), join(root, file));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  const bin = join(ROOT, "node_modules/.bin/oxlint");
  const run = spawnSync(bin, ["--type-aware", "--format", "json", "server"], { cwd: root, encoding: "utf8" });
  const found = (JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string }[] }).diagnostics;
  for (const [file, [, rule]] of Object.entries(probes)) {
    assert.ok(
      found.some((one) => one.filename === file && one.code.includes(rule)),
      `${rule} let ${file} pass`,
    );
  }
  for (const file of Object.keys(allowed).filter((name) => !name.includes("domain"))) {
    assert.deepEqual(
      found.filter((one) => one.filename === file),
      [],
    );
  }
});

function tempTree(t: { after(run: () => void): void }, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "tidings-fence-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

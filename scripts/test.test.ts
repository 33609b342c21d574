import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";

const GOOD = `import { test } from "node:test"; test("good", () => {});`;

/** Runs the test command in a repository that consists of these files. */
function runIn(t: TestContext, files: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const root = mkdtempSync(join(tmpdir(), "tidings-tests-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const run = spawnSync(process.execPath, [join(import.meta.dirname, "test.ts"), ...args], {
    cwd: root,
    encoding: "utf8",
  });
  const lines = run.stdout.trimEnd().split("\n");
  return {
    out: run.stdout,
    last: lines.at(-1),
    code: run.status,
    tallies: lines.filter((line) => /passed, \d+ failed/.test(line)),
  };
}

test("tests of parts and of the house are found, run and counted, and the count stands alone on the last line", (t) => {
  const { last, code, tallies, out } = runIn(t, {
    "contract/src/a.test.ts": GOOD,
    "server/src/x/b.test.ts": `import { describe, test } from "node:test"; describe("s", () => { test("1", () => {}); test("2", () => {}); });`,
    "server/test/e2e.test.ts": GOOD,
    "server/test/golden/mail.test.ts": GOOD,
    "server/node_modules/foreign/c.test.ts": `throw new Error("not ours");`,
    "docs/d.test.ts": `throw new Error("no workspace");`,
  });
  assert.deepEqual([last, code], ["5 passed, 0 failed", 0], out);
  assert.equal(tallies.length, 1);
});

test("a failure is shown with its reason and ends in a bad exit code, in either kind of process", (t) => {
  const bad = `import { describe, test } from "node:test"; console.log("what it printed"); describe("suite", () => test("bad", () => { throw new Error("because"); }));`;
  const { last, code, out } = runIn(t, {
    "contract/a.test.ts": bad,
    "server/test/b.test.ts": bad,
    "bench/c.test.ts": GOOD,
  });
  assert.deepEqual([last, code], ["1 passed, 2 failed", 1], out);
  assert.match(out, /✖ suite › bad \(contract\/a\.test\.ts\): because/);
  assert.match(out, /✖ suite › bad \(server\/test\/b\.test\.ts\): because/);
  assert.match(out, /what it printed/);
});

test("a skipped test is listed with its reason; without one it is a failure", (t) => {
  const skipping = `import { test } from "node:test"; test("later", { skip: "needs a server" }, () => {}); test("hidden", { skip: true }, () => {}); test.todo("some day");`;
  const { last, code, out } = runIn(t, { "contract/a.test.ts": skipping + GOOD.replace(/^.*?;/, "") });
  assert.deepEqual([last, code], ["1 passed, 2 failed", 1], out);
  assert.match(out, /- later \(contract\/a\.test\.ts\): needs a server/);
  assert.match(out, /✖ hidden .*is skipped without a reason/);
});

test("a file that cannot be loaded, holds no test, or ends the process does not pass in silence", (t) => {
  const crash = `process.exit(0);`;
  for (const folder of ["contract", "server/test"]) {
    assert.equal(
      runIn(t, { [`${folder}/a.test.ts`]: `throw new Error("at load");` }).last,
      "0 passed, 1 failed",
      folder,
    );
    assert.equal(runIn(t, { [`${folder}/a.test.ts`]: "export {};" }).last, "0 passed, 1 failed", folder);
    const { last, code, out } = runIn(t, {
      [`${folder}/a.test.ts`]: `import { test } from "node:test"; test("x", () => { ${crash} });`,
    });
    assert.deepEqual([last, code], ["0 passed, 1 failed", 1], `${folder}\n${out}`);
  }
});

test("arguments choose files and folders; one that chooses nothing is a failure, and so is having no tests", (t) => {
  const files = { "contract/a.test.ts": GOOD, "contract/b.test.ts": GOOD, "bench/c.test.ts": GOOD };
  assert.equal(runIn(t, files, "contract/").last, "2 passed, 0 failed");
  assert.equal(runIn(t, files, "contract/b.test.ts", "./bench").last, "2 passed, 0 failed");
  const mistyped = runIn(t, files, "contract/b.test.ts", "bunch");
  assert.deepEqual([mistyped.last, mistyped.code], ["1 passed, 1 failed", 1]);
  const none = runIn(t, { "contract/a.ts": "" });
  assert.deepEqual([none.last, none.code], ["0 passed, 1 failed", 1]);
});

test("a pattern chooses tests by name", (t) => {
  const { last, out } = runIn(
    t,
    { "contract/a.test.ts": GOOD, "contract/b.test.ts": GOOD.replace("good", "other") },
    "--test-name-pattern=other",
  );
  assert.equal(last, "1 passed, 0 failed", out);
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { failuresOf, pageOf, type Proof } from "./page.ts";
import { PLANTED_FILES, PROMISES } from "./promises.ts";
import { type Json, propertyFiles, type Ran, ROOT } from "./run.ts";
import type { TestLine } from "./test-lines.ts";

const FILES = PROMISES.flatMap(({ shown }) => shown.flatMap((one) => (one.by === "tests" ? one.files : [])));

function done(json: Json, ok = true): Ran {
  return { kind: "done", command: "npm run something", ok, json, err: "it said why" };
}

function passed(file: string): TestLine {
  return { file, name: `a test of ${file}`, kind: "passed", reason: "", says: ["12 ms"] };
}

function given(change: Partial<Proof> = {}): Proof {
  return {
    date: "2026-11-22",
    minutes: 9,
    quick: false,
    machine: { hardware: "2 cores", software: "Linux", program: "Tidings" },
    runs: {
      kill9: done({ kills: 200, accepted: 12_345, lost: 0, wrong: 0, unexplained: 0 }),
      simulate: done({ seeds: 1_000, checks: 3_945_966 }),
      simulateEvents: done({ seeds: 1_000, checks: 1_945_966 }),
      simulateFunctions: done({ seeds: 200, checks: 945_966 }),
      fuzz: done({ requests: 100_000, operations: [{ slowestMs: 30 }], failures: [], residentBytes: [1e8, 2e8] }),
      soak: done({ minutes: 60, totals: { lost: 0, twice: 0 } }),
    },
    tests: [...new Set([...FILES, ...PLANTED_FILES])].map(passed),
    properties: [{ file: "server/src/domain/routing.test.ts", properties: 3, values: 300 }],
    ...change,
  };
}

function rowOf(promise: string, page: string): string {
  return page.split("\n").find((line) => line.startsWith(`| **${promise}**`)) ?? "";
}

test("every promise has a row with how it is shown, how often and with what result", () => {
  const page = pageOf(given());
  assert.equal(PROMISES.length, 9);
  for (const { promise, shown } of PROMISES) {
    const row = rowOf(promise, page);
    assert.match(row, /all passed|no violation|lost 0/, promise);
    assert.equal(row.split("<br>").length >= 3 * (shown.length - 1), true, promise);
  }
  assert.match(rowOf("accepted is kept", page), /200 kills, 12,345 accepted.*lost 0, wrong 0, unexplained 0/);
  assert.doesNotMatch(page, /FAILED|\*\*[Nn]ot run|: not run|NaN|undefined|not shown yet/);
  assert.deepEqual(failuresOf(given()), []);
});

test("what failed says so in its row, in its section, and to whoever ran it", () => {
  const [file = ""] = FILES;
  const failing = given({
    tests: given().tests.map((line) =>
      line.file === file ? { ...line, kind: "failed", reason: "3 were lost" } : line,
    ),
    runs: { ...given().runs, kill9: done({ kills: 200, lost: 3 }, false) },
  });
  const page = pageOf(failing);
  assert.match(rowOf("accepted is kept", page), /\*\*FAILED\*\* \(lost 3/);
  assert.match(rowOf("accepted is kept", page), /\*\*1 FAILED\*\*: a test of/);
  assert.match(page, /\*\*FAILED\*\*: 3 were lost/);
  assert.match(page, /it said why/);
  assert.deepEqual(failuresOf(failing), ["npm run something failed", `a test of ${file} (${file}): 3 were lost`]);
});

test("what was not run, or is not there yet, says so, and counts as neither", () => {
  const absent: Ran = { kind: "not run", command: "npm run fuzz", reason: "there is no fuzz yet" };
  const [first = "", ...rest] = FILES;
  const proof = given({
    runs: { ...given().runs, fuzz: absent },
    tests: [...new Set(rest)]
      .filter((file) => file !== first)
      .map((file) => ({ ...passed(file), kind: "skipped", reason: "no C compiler" })),
  });
  const page = pageOf(proof);
  assert.match(rowOf("accepted is kept", page), /\*\*not shown yet\*\*/);
  assert.match(rowOf("accepted is kept", page), /\d+ not run here/);
  assert.match(rowOf("explained", page), /\*\*not run\*\*/);
  assert.match(page, /\*\*Not run\*\*: there is no fuzz yet\./);
  assert.match(page, /not run: no C compiler/);
  assert.deepEqual(failuresOf(proof), []);
});

test("the files that it names are there", () => {
  assert.deepEqual(
    [...FILES, ...PLANTED_FILES].filter((file) => !existsSync(join(ROOT, file))),
    [],
  );
  assert.ok(propertyFiles().includes("server/src/domain/routing.test.ts"));
});

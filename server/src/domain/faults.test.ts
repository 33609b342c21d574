import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { OPERATOR_FAULTS } from "#domain/faults.ts";
import { FAULTS } from "#domain/problem.ts";

const PAGE = readFileSync(new URL("../../../docs/faults.md", import.meta.url), "utf8");
const [CALLERS = "", OPERATORS = ""] = PAGE.split("## What an operator is told");

test("docs/faults.md has every code that a caller can be told, with its status, and no other", () => {
  const coded = Object.entries(FAULTS).map(([code, { status }]) => [code, String(status)]);
  assert.deepEqual(new Set(rowsOf(CALLERS).map(String)), new Set(coded.map(String)));
});

test("docs/faults.md has every code that an operator can be told, and no other", () => {
  const codes = rowsOf(OPERATORS).map(([code]) => code);
  assert.deepEqual(codes.toSorted(), Object.keys(OPERATOR_FAULTS).toSorted());
});

test("every row of docs/faults.md says what it means and what to do", () => {
  const empty = tableLines(PAGE).filter((line) =>
    line
      .split("|")
      .slice(1, -1)
      .some((cell) => cell.trim() === ""),
  );
  assert.deepEqual(empty, []);
});

/** Code and status (or exit) of each row. */
function rowsOf(section: string): [code: string, number: string][] {
  return tableLines(section).map((line) => {
    const [, code = "", number = ""] = line.split("|").map((cell) => cell.trim());
    return [code.replaceAll("`", ""), number];
  });
}

function tableLines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith("| `"));
}

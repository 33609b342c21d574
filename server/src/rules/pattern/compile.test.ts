import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePattern } from "./compile.ts";
import { OR_COMBINATIONS_MAX, PATTERN_CHARS_MAX, PATTERN_DEPTH_MAX } from "./limits.ts";
import { textOf } from "./matching.testing.ts";

function isRefused(pattern: unknown, reason: string): void {
  const read = compilePattern(textOf(pattern));
  assert.equal(read.kind, "invalid", `${textOf(pattern)} must be refused`);
  if (read.kind === "invalid") assert.equal(read.reason, reason, textOf(pattern));
}

/** Condition lists on a field, all refused for one reason. */
function areRefused(reason: string, ...lists: readonly unknown[]): void {
  for (const list of lists) isRefused({ f: list }, reason);
}

function isTaken(pattern: unknown): void {
  const read = compilePattern(textOf(pattern));
  assert.equal(read.kind, "pattern", `${textOf(pattern)}: ${read.kind === "invalid" ? read.reason : ""}`);
}

test("a pattern is a JSON object with fields, and lists where the event has values", () => {
  for (const text of ["[1]", '"x"', "1", "null", "true"]) isRefused(text, "Filter is not an object");
  for (const text of [
    "",
    "{",
    '{"a":[1]} x',
    "{'a':[1]}",
    '{"a":[1,]}',
    '{"a":[01]}',
    '{"a":["\n"]}',
    '{"a":["\\x"]}',
  ]) {
    isRefused(text, "Filter is not valid JSON");
  }
  isRefused({}, "Empty objects are not allowed");
  isRefused({ a: { b: {} } }, "Empty objects are not allowed");
  isRefused({ a: [] }, "Empty arrays are not allowed");
  for (const scalar of [1, true, null]) isRefused({ a: { b: scalar } }, '"b" must be an object or an array');
  isRefused({ a: "x" }, '"a" must be an object or an array');
  isRefused({ a: { exists: true } }, '"exists" must be an object or an array');
  isRefused({ $or: 1 }, '"$or" must be an object or an array');
  areRefused("Match value must be String, number, true, false, or null", [["x"]], ["x", []]);
  areRefused("Empty objects are not allowed", [{}]);
  areRefused("Only one key allowed in match expression", [{ prefix: "a", suffix: "b" }]);
  areRefused("Unrecognized match type PREFIX", [{ PREFIX: "a" }]);
  areRefused("Unrecognized match type startsWith", [{ startsWith: "a" }]);
  areRefused("Unrecognized match type __proto__", JSON.parse('[{"__proto__":"a"}]'));
});

test("operators refuse arguments of the wrong type", () => {
  for (const name of ["prefix", "suffix", "wildcard", "equals-ignore-case"]) {
    areRefused(
      `${name} match pattern must be a string`,
      ...[1, null, true, ["a"], []].map((wrong) => [{ [name]: wrong }]),
    );
  }
  for (const name of ["prefix", "suffix"]) {
    areRefused(
      "equals-ignore-case match pattern must be a string",
      ...[1, null, ["a"]].map((wrong) => [{ [name]: { "equals-ignore-case": wrong } }]),
    );
    areRefused("Only one key allowed in match expression", [{ [name]: { "equals-ignore-case": "a", x: 1 } }]);
    areRefused("Unrecognized match type wildcard", [{ [name]: { wildcard: "a" } }]);
    areRefused("Empty objects are not allowed", [{ [name]: {} }]);
  }
  areRefused("exactly match pattern must be a string", [{ exactly: 1 }]);
  areRefused(
    "exists match pattern must be either true or false.",
    ...["true", 1, null, [true], {}].map((exists) => [{ exists }]),
  );
  areRefused("Only one key allowed in match expression", [{ exists: true, prefix: "a" }]);
});

test("anything-but takes strings, numbers, or one of four operators", () => {
  const but = (...excluded: readonly unknown[]) => excluded.map((one) => [{ "anything-but": one }]);
  areRefused(
    "Value of anything-but must be an array or single string/number value.",
    ...but(null, true, { numeric: ["=", 1] }, { cidr: "10.0.0.0/8" }, { exists: true }),
  );
  areRefused(
    "Inside anything but list, start|null|boolean is not supported.",
    ...but([null], ["a", true], [["a"]], ["a", { prefix: "b" }]),
  );
  areRefused(
    "Inside anything but list, either all values are number or string, mixed type is not supported",
    ...but([], ["a", 1], { prefix: [] }),
  );
  areRefused(
    "prefix/suffix match pattern must be a string",
    ...but({ prefix: 1 }, { suffix: null }, { suffix: [1] }, { prefix: { "equals-ignore-case": "a" } }),
  );
  areRefused("Null prefix/suffix not allowed", ...but({ prefix: "" }, { suffix: ["a", ""] }));
  areRefused("equals-ignore-case match pattern must be a string", ...but({ "equals-ignore-case": 1 }));
  areRefused("wildcard match pattern must be a string", ...but({ wildcard: [1] }));
  areRefused("Only one key allowed in match expression", ...but({ prefix: "a", suffix: "b" }), [
    { "anything-but": "a", prefix: "b" },
  ]);
  areRefused("Empty objects are not allowed", ...but({}));
  areRefused("Consecutive wildcard characters at pos 0", ...but({ wildcard: ["a", "**"] }));
  for (const list of but("", 1, ["a"], [1, 2], { "equals-ignore-case": "" }, { wildcard: "" }, { wildcard: ["", "*"] }))
    isTaken({ f: list });
});

test("numeric takes one bound, or a lower and then an upper one", () => {
  const numeric = (...said: readonly unknown[]) => said.map((argument) => [{ numeric: argument }]);
  areRefused("Value of numeric must be an array.", ...numeric(1, "=1", null, {}));
  areRefused("Empty arrays are not allowed", ...numeric([]));
  areRefused(
    "Value of < must be numeric",
    ...numeric(["<"], ["<", "1"], ["<", null], ["<", true], [">", 1, "<"], [">", 1, "<", "2"]),
  );
  areRefused("Unrecognized numeric range operator: 5", ...numeric([5]));
  areRefused("Unrecognized numeric range operator: ==", ...numeric(["==", 1]));
  areRefused("Unrecognized numeric range operator: <>", ...numeric(["<>", 1], [">", 1, "<>", 2]));
  areRefused("Bad numeric range operator: >", ...numeric([">", 1, ">", 2], [">=", 1, ">", 2]));
  areRefused("Bad numeric range operator: =", ...numeric([">", 1, "=", 2]));
  areRefused(
    "Too many elements in numeric expression",
    ...numeric(["<", 5, ">", 1], ["=", 1, "<", 2], ["<=", 1, "<", 2], [">", 1, "<", 2, "<", 3]),
  );
  areRefused("Bottom must be less than top", ...numeric([">", 9, "<", 3], [">=", 1, "<=", 1]));
  isRefused('{"f":[{"numeric":["<",1E309]}]}', "Value of < must be numeric");
  isRefused('{"f":[{"numeric":["=",18014398509481985]}]}', "Value of = must be numeric");
  isTaken('{"f":[{"numeric":["<",1E308]}]}');
  isTaken({ f: [{ numeric: [">=", 1, "<", 1.0000000000000002] }] });
});

test("wildcards refuse two stars in a row and unknown escapes", () => {
  areRefused("Consecutive wildcard characters at pos 2", [{ wildcard: "a/**/b" }]);
  areRefused("Consecutive wildcard characters at pos 2", [{ wildcard: "\\***" }]);
  areRefused("Invalid escape character at pos 1", [{ wildcard: "a\\b" }], [{ wildcard: "a\\" }]);
  isTaken({ f: [{ wildcard: "\\**" }, { wildcard: "*\\**" }] });
});

test("cidr takes an address and a mask shorter than it", () => {
  const cidr = (...blocks: readonly unknown[]) => blocks.map((block) => [{ cidr: block }]);
  areRefused("prefix match pattern must be a string", ...cidr(1, ["10.0.0.0/8"], null));
  areRefused("Malformed CIDR, one '/' required", ...cidr("10.0.0.0", "10.0.0.0/8/8", ""));
  areRefused(
    "Malformed CIDR, mask bits must be an integer",
    ...cidr("10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8.5", "10.0.0.0/ 8"),
  );
  areRefused("Malformed CIDR, mask bits must not be negative", ...cidr("10.0.0.0/-1"));
  areRefused("Nonstandard IP address: host", ...cidr("host/8"));
  areRefused("Nonstandard IP address: 10.0.0.256", ...cidr("10.0.0.256/8"));
  areRefused("Nonstandard IP address: 2001:db8", ...cidr("2001:db8/8"));
  areRefused("Nonstandard IP address: ", ...cidr("/8"));
  areRefused("IPv4 mask bits must be < 32", ...cidr("10.0.0.0/32", "10.0.0.0/33"));
  areRefused("IPv6 mask bits must be < 128", ...cidr("::1/128", "::/999"));
  for (const list of cidr("0.0.0.0/0", "10.9.9.9/31", "::/0", "::1/127")) isTaken({ f: list });
});

test("$or takes at least two patterns, and no names of operators inside", () => {
  const few = "There must have at least 2 Objects in $or relationship.";
  isRefused({ $or: [] }, few);
  isRefused({ $or: [{ a: [1] }] }, few);
  isRefused({ $or: [{ a: [1] }, "x"] }, "Only JSON object is allowed in array of $or relationship.");
  isRefused({ $or: ["x"] }, "Only JSON object is allowed in array of $or relationship.");
  isRefused({ $or: [{ a: [1] }, {}] }, "Empty objects are not allowed");
  isRefused({ $or: [{ a: [1] }, { b: [] }] }, "Empty arrays are not allowed");
  isRefused({ $or: [{ a: [1] }, { b: "x" }] }, '"b" must be an object or an array');
  isRefused({ $or: [{ a: [1] }, { $or: [{ a: [1] }] }] }, few);
  for (const word of [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "regex",
    "=",
    "<",
    "<=",
    ">",
    ">=",
  ]) {
    isRefused({ $or: [{ a: [1] }, { b: { [word]: ["x"] } }] }, `"${word}" is an operator and no field name inside $or`);
    isTaken({ [word]: ["x"], a: { [word]: ["y"] } });
  }
});

test("patterns have limits", () => {
  const long = (chars: number) => `{"a":["${"x".repeat(chars - 10)}"]}`;
  isTaken(long(PATTERN_CHARS_MAX));
  isRefused(long(PATTERN_CHARS_MAX + 1), `Filter is longer than ${PATTERN_CHARS_MAX} characters`);
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}[1]${"}".repeat(levels)}`;
  isTaken(deep(PATTERN_DEPTH_MAX - 1));
  isRefused(deep(PATTERN_DEPTH_MAX), `Filter is nested deeper than ${PATTERN_DEPTH_MAX} levels`);
  isRefused("[".repeat(4000) + "]".repeat(90), "Filter is not valid JSON");
  const or = (sizes: readonly number[]) =>
    Object.fromEntries(
      sizes.map((size, n) => [
        `f${n}`,
        { $or: Array.from({ length: size }, (_, branch) => ({ [`b${branch}`]: [1] })) },
      ]),
    );
  isTaken(or([10, 10, 10]));
  isRefused(or([7, 11, 13]), `Rule is too complex: $or has more than ${OR_COMBINATIONS_MAX} combinations`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { listIdProblem, listMatches, listPatternProblem, patternPrefix } from "#directory/list-id.ts";

test("list ids have one to four parts joined by dots", () => {
  for (const id of ["a", "pokemon.fire.gen1", "a.b.c.d", "ümlaut.x_y-z"]) assert.equal(listIdProblem(id), null, id);
  const wrong = [
    "",
    " ",
    "a b",
    "a.*",
    "*",
    "a#",
    ".a",
    "a.",
    "a..b",
    "a.b.c.d.e",
    "a\n",
    "a\u0000",
    "\ud800",
    "x".repeat(257),
  ];
  for (const id of wrong) assert.notEqual(listIdProblem(id), null, JSON.stringify(id));
});

test("patterns that the reference calls invalid are refused", () => {
  for (const pattern of [
    "pokemon.*.gen1",
    "pokemon.grass.*",
    "pokemon.fire.**",
    "pokemon.**",
    "*.fire",
    "a.b.c.d",
    "*.*.*.d",
  ]) {
    assert.equal(listPatternProblem(pattern), null, pattern);
  }
  const wrong = [
    "**",
    "*",
    "*.*",
    "**.a",
    "a.**.b",
    "*.**",
    "a.*.**",
    "poke**",
    "a.g*",
    "part.***",
    ".a.*",
    "a.*.",
    "a..*",
    "a. *",
    "*.*.*.*",
    "a.b.c.d.*",
    "a.b#.*",
  ];
  for (const pattern of wrong) assert.notEqual(listPatternProblem(pattern), null, pattern);
});

test("patterns match what the reference's table says", () => {
  const table: readonly (readonly [pattern: string, id: string, matches: boolean])[] = [
    ["pokemon.*.gen1", "pokemon.fire.gen1", true],
    ["pokemon.*.gen1", "pokemon.grass.gen1", true],
    ["pokemon.*.gen1", "pokemon.gen1", false],
    ["pokemon.grass.*", "pokemon.grass.gen1", true],
    ["pokemon.grass.*", "pokemon.grass", false],
    ["pokemon.grass.*", "pokemon.grass.gen1.x", false],
    ["pokemon.fire.**", "pokemon.fire.gen1", true],
    ["pokemon.fire.**", "pokemon.fire.gen1.x", true],
    ["pokemon.fire.**", "pokemon.fire", false],
    ["pokemon.**", "pokemon", false],
    ["pokemon.**", "pokemons.a", false],
    ["pokemon.fire", "pokemon.fire", true],
    ["pokemon.fire", "pokemon", false],
  ];
  for (const [pattern, id, matches] of table) assert.equal(listMatches(pattern, id), matches, `${pattern} on ${id}`);
});

const part = fc.constantFrom("a", "b", "ab");
const someId = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
const somePattern = fc
  .tuple(fc.array(fc.oneof(part, fc.constant("*")), { maxLength: 3 }), fc.constantFrom("a", "*", "**"))
  .map(([parts, last]) => [...parts, last].join("."))
  .filter((pattern) => listPatternProblem(pattern) === null);

test("a pattern matches exactly what its regular expression does, and every match begins with its prefix", () => {
  let matched = 0;
  fc.assert(
    fc.property(somePattern, someId, (pattern, id) => {
      const source = pattern
        .replaceAll(".", "\\.")
        .replaceAll("**", "@")
        .replaceAll("*", "[^.]+")
        .replaceAll("@", ".+");
      const matches = new RegExp(`^${source}$`).test(id);
      assert.equal(listMatches(pattern, id), matches);
      if (!matches) return;
      matched += 1;
      assert.ok(id.startsWith(patternPrefix(pattern)));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(matched > 50, `too few matches to mean anything: ${matched}`);
});

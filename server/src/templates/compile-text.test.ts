import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#domain/json.ts";
import { compileText, renderString, type TextMode } from "./compile-text.ts";
import { BLOCK_DEPTH_MAX, LOOP_TURNS_MAX, RENDER_CHARS_MAX } from "./limits.ts";
import type { Scope } from "./scope.ts";
import { scopeOf } from "./scope.testing.ts";

function say(source: string, data: JsonObject = {}, more: Partial<Scope> = {}, mode: TextMode = "text"): string {
  const rendered = renderString(source, scopeOf(data, more), mode);
  return rendered.ok ? rendered.text : `failed: ${rendered.problem}`;
}

function problemOf(source: string): string {
  const compiled = compileText(source);
  return compiled.ok ? "" : compiled.problem;
}

test("variables stand in single, double or triple braces", () => {
  assert.equal(say("{a} {{a}} {{ a }} {{{a}}} {{&a}}", { a: "x" }), "x x x x x");
  assert.equal(
    say("{user.names[0]} {{user.names.1}} {{user['first name']}}", { user: { names: ["a", "b"], "first name": "c" } }),
    "a b c",
  );
  assert.equal(say("{größe}", { größe: 3 }), "3");
});

test("a bare name is looked up in the data, the built-ins, the profile, in this order", () => {
  const profile = { name: "from profile", city: "Bern", recipient: "not this" };
  assert.equal(say("{name} {city} {recipient}", { name: "from data" }, { profile }), "from data Bern ada");
  assert.equal(say("{recipient}", { recipient: "mine" }), "mine");
});

test("a root says where to look", () => {
  const more = { profile: { x: "p" }, tenant: { x: "t" }, brand: { colors: { primary: "#fff" } } };
  assert.equal(
    say("{data.x} {profile.x} {tenant.x} {brand.colors.primary} {$.profile.x} {$.data.x}", { x: "d" }, more),
    "d p t #fff p d",
  );
});

test("a key of one's own that is called like a root can still be read", () => {
  assert.equal(say("{brand} {tenant.name}", { brand: "Acme", tenant: { name: "T" } }), "Acme T");
});

test("the reserved names are filled in", () => {
  assert.equal(
    say("{messageId} {event} {courier.environment} {datetime.year} [{urls.unsubscribe}] [{openTrackingId}]"),
    "1-65f240a0-47a6a120c8374de9bcf9f22a welcome production 2026 [] []",
  );
});

test("what is missing or null leaves a gap; numbers and truth values stand plainly; the rest is JSON", () => {
  assert.equal(
    say("[{a}][{b}][{c}][{d}][{e}][{f}]", { b: null, c: 1.5, d: false, e: [1, "x"], f: { y: 1 } }),
    '[][][1.5][false][[1,"x"]][{"y":1}]',
  );
});

test("single braces around anything but a variable stay", () => {
  for (const text of [
    "a { color: red } b",
    '{"a":1}',
    "{}",
    "{ }",
    "{a b}",
    "{1}",
    "{a",
    "}",
    "{{",
    "{{a",
    "a}}",
    "p{margin:0}",
    "{a\n: b}",
  ]) {
    assert.equal(say(text, { a: "x" }), text);
  }
});

test("a backslash makes a brace a brace", () => {
  assert.equal(say("\\{a} \\{{a}} \\\\{a} C:\\dir", { a: "x" }), "{a} {{a}} \\x C:\\dir");
});

test("nothing that an object inherits can be read", () => {
  const data = { a: {}, s: "text", l: [1, 2] };
  const names = [
    "__proto__",
    "constructor",
    "toString",
    "a.__proto__",
    "a.constructor.name",
    "s.constructor",
    "l.map",
    "hasOwnProperty",
  ];
  for (const name of names) assert.equal(say(`[{${name}}][{{${name}}}]`, data), "[][]");
  assert.equal(say("{s.length} {l.length} {constructor}", { ...data, constructor: "Brunel" }), "4 2 Brunel");
});

test("in HTML values are escaped and break lines, in text they stay as they are", () => {
  const data = { a: `<b a="1" c='2'>&\r\nx` };
  assert.equal(say("<{a}>", data, {}, "html"), "&lt;&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;<br>x&gt;");
  assert.equal(say("<{a}>", data), `<<b a="1" c='2'>&\r\nx>`);
  assert.equal(say("{{{a}}}", { a: "<b>" }, {}, "html"), "<b>");
});

test("a line has no line breaks, whatever the data holds", () => {
  assert.equal(say("Hi {a}\n", { a: "x\r\nBcc: y\u2028z\0" }, {}, "line"), "Hi x Bcc: y z");
});

test("conditions have branches", () => {
  const source = "{{#if a}}A{{else if b}}B{{else}}C{{/if}}{{#unless a}}!{{/unless}}";
  assert.equal(say(source, { a: 1 }), "A");
  assert.equal(say(source, { b: "x" }), "B!");
  assert.equal(say(source, { a: [], b: "" }), "C!");
});

test("loops know their item, its place, what is outside, and what to say when there is nothing", () => {
  const data = { name: "out", items: [{ name: "a" }, { name: "b", tags: ["x", "y"] }] };
  assert.equal(
    say("{{#each items}}{{@index}}{{name}}{{this.name}}{{../name}}{{#if @last}}.{{else}},{{/if}}{{/each}}", data),
    "0aaout,1bbout.",
  );
  assert.equal(say("{{#each items}}{{#each tags}}{{../name}}{{this}} {{/each}}{{/each}}", data), "bx by ");
  assert.equal(say("{{#each none}}x{{else}}nothing{{/each}}", data), "nothing");
  assert.equal(say("{{#each o}}{{@key}}={{this}};{{/each}}", { o: { a: 1, b: 2 } }), "a=1;b=2;");
  assert.equal(say("{{#with o}}{{a}}{{/with}}{{a}}", { o: { a: 1 }, a: 2 }), "12");
});

test("a tag alone on its line takes the line with it", () => {
  assert.equal(
    say("A:\n{{#each l}}\n- {{this}}\n{{/each}}\nend\n{{! nothing }}\n", { l: [1, 2] }),
    "A:\n- 1\n- 2\nend\n",
  );
  assert.equal(say("{name}\n{{#if name}}\nx\n{{/if}} y", { name: "n" }), "n\nx\n y");
});

test("helpers compute small things, also within each other", () => {
  const data = { name: "ada", n: 3, none: "" };
  assert.equal(
    say("{{capitalize name}} {{default none 'you'}} {{concat name '-' n}} {{truncate name 2 '…'}}", data),
    "Ada you ada-3 ad…",
  );
  assert.equal(
    say("{{add n 1}} {{multiply n (subtract n 1)}} {{divide n 0}}|{{round 2.6}} {{mod n 2}}", data),
    "4 6 |3 1",
  );
  assert.equal(
    say("{{#if (and name (condition n '>' 2))}}yes{{/if}}{{#if (not (or none missing))}}!{{/if}}", data),
    "yes!",
  );
});

test("what cannot be understood is refused with a sentence", () => {
  assert.match(problemOf("{{shout name}}"), /there is no helper "shout"; there are default, concat/);
  assert.match(problemOf("{{#repeat 3}}x{{/repeat}}"), /\{\{#repeat\}\} is not known/);
  assert.match(problemOf("{{#if a}}x"), /\{\{#if\}\} is never closed/);
  assert.match(problemOf("{{#if a}}{{#each b}}{{/if}}{{/each}}"), /stands where \{\{\/each\}\} is expected/);
  assert.match(problemOf("{{/if}}"), /closes nothing/);
  assert.match(problemOf("{{else}}"), /outside of a block/);
  assert.match(problemOf("{{> header}}"), /partials/);
  assert.match(problemOf("{{truncate a}}"), /takes 2 to 3 arguments, not 1/);
  assert.match(problemOf("{{default a b=1}}"), /named arguments/);
  assert.match(problemOf("{{#each a as |b|}}{{/each}}"), /block parameters/);
  assert.match(problemOf("{{#if a}}".repeat(BLOCK_DEPTH_MAX + 1)), /deeper than/);
  assert.match(problemOf(`{{not ${"(not ".repeat(50)}a${")".repeat(50)}}}`), /deeper than/);
});

test("a template cannot run or grow for ever", () => {
  const items = Array.from({ length: 200 }, () => 1);
  const deep = "{{#each @root.l}}{{#each @root.l}}{{#each @root.l}}x{{/each}}{{/each}}{{/each}}";
  assert.match(say(deep, { l: items }), new RegExp(`turn more than ${LOOP_TURNS_MAX} times`));
  assert.match(
    say("{{#each l}}{{big}}{{/each}}", { l: items, big: "y".repeat(10_000) }),
    new RegExp(`more than ${RENDER_CHARS_MAX} characters`),
  );
  assert.match(say(`{{concat ${"big ".repeat(30)}}}`, { big: "y".repeat(100_000) }), /more than/);
  const each = Array.from({ length: 9_000 }, () => 1);
  assert.match(say(`{{#each l}}${"{{a}}".repeat(400)}{{/each}}`, { l: each }), /more than 500000 steps/);
});

test("data nested beyond measure is a failure, not a crash", () => {
  let deep: JsonObject = {};
  for (let depth = 0; depth < 200_000; depth += 1) deep = { deep };
  assert.match(say("{deep}", { deep }).slice(0, 200), /^failed: /);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#domain/json.ts";
import { compileContent } from "./compile.ts";
import { scopeOf } from "./scope.testing.ts";

function render(content: string, data: JsonObject = {}): { readonly html: string; readonly text: string } {
  const compiled = compileContent({ elements: [{ type: "text", format: "markdown", content }] });
  assert.ok(compiled.ok);
  const rendered = compiled.template.render({ channel: "email", provider: "smtp" }, scopeOf(data));
  assert.ok(rendered.ok);
  const body = /<td class="cd"[^>]*>\n([^]*?)<\/td><\/tr>\n<\/table>/.exec(rendered.html)?.[1] ?? "";
  return { html: body.replace(/ (?:style|class)="[^"]*"/g, "").replaceAll("\n", ""), text: rendered.text };
}

test("words can be bold, italic, struck and literal, also within each other", () => {
  assert.equal(
    render("**a** __b__ *c* _d_ ~~e~~ `f*g*`").html,
    "<p><strong>a</strong> <strong>b</strong> <em>c</em> <em>d</em> <s>e</s> <code>f*g*</code></p>",
  );
  assert.equal(
    render("**a *b* c** *d **e***").html,
    "<p><strong>a <em>b</em> c</strong> <em>d <strong>e</strong></em></p>",
  );
  assert.equal(render("**a *b* c**").text, "a b c");
});

test("what only looks like a mark stays", () => {
  for (const text of ["2 * 3 * 4", "a_b_c", "**", "* a", "a ** b", "snake_case_name", "~~", "`", "[a] (b)", "[a](b"]) {
    assert.equal(render(`x ${text}`).text, `x ${text}`);
  }
  assert.equal(render("\\*a\\* \\[b\\](c)").text, "*a* [b](c)");
});

test("links are links, bare addresses too", () => {
  assert.equal(
    render("[a **b**](https://x.y/?a=1&b={q}) c", { q: "1 2" }).html,
    '<p><a href="https://x.y/?a=1&amp;b=1%202">a <strong>b</strong></a> c</p>',
  );
  assert.equal(
    render("See https://x.y/z. [ok] [a](/b)").html,
    '<p>See <a href="https://x.y/z">https://x.y/z</a>. [ok] <a href="/b">a</a></p>',
  );
  assert.equal(render("[a](javascript:alert(1))").html, "<p>a)</p>");
  assert.equal(render("[a](https://x) https://y").text, "a (https://x) https://y");
});

test("paragraphs, line breaks, headings, lists, quotes and rules", () => {
  const { html, text } = render("# A\nb\nc\n\n- d\n  more\n- e\n\n1. f\n2) g\n> h\n> i\n---\nj");
  assert.equal(
    html,
    "<h1>A</h1><p>b<br>c</p><ul><li>d<br>more</li><li>e</li></ul><ol><li>f</li><li>g</li></ol><blockquote>h<br>i</blockquote><hr><p>j</p>",
  );
  assert.equal(text, `A\n\nb\nc\n\n- d\nmore\n- e\n\n1. f\n2. g\n\n> h\n> i\n\n${"-".repeat(32)}\n\nj`);
});

test("a loop on lines of its own repeats whole blocks; within a line, words", () => {
  const data = { l: ["a", "b"], yes: true };
  assert.equal(render("{{#each l}}\n- {{this}}\n{{/each}}", data).text, "- a\n- b");
  assert.equal(
    render("**{{#each l}}{{this}}{{/each}}** {{#if yes}}*y*{{/if}}", data).html,
    "<p><strong>ab</strong> <em>y</em></p>",
  );
});

test("what data holds is never read as markdown or HTML", () => {
  const evil = "**b** [x](javascript:1) <i>\n# h\n- l `c` https://z";
  const { html, text } = render("{a} *{a}*", { a: evil });
  assert.doesNotMatch(html, /<(?!\/?(?:p|em|br)>)/);
  assert.equal(text, `${evil} ${evil}`);
});

test("hostile marks cost no more than their length", () => {
  const long = [
    "*",
    "**a",
    "[",
    "[a](",
    "](",
    "_a ",
    "`",
    "~~",
    "**a *b ",
    "\\",
    "> ",
    "- ",
    "{",
    "{{",
    "{{#",
    "\n",
    "h",
    "http://",
    "*a* ",
    " ",
  ];
  for (const piece of long) {
    const compiled = compileContent({
      elements: [{ type: "text", format: "markdown", content: piece.repeat(40_000 / piece.length) }],
    });
    if (compiled.ok) compiled.template.render({ channel: "email", provider: "smtp" }, scopeOf());
  }
});

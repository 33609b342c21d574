import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "#domain/json.ts";
import { EVERY_ELEMENT, SHOPPER } from "../../test/golden/every-element.ts";
import { compileContent } from "./compile.ts";
import { RENDER_CHARS_MAX } from "./limits.ts";
import type { Rendered, RenderFailure } from "./rendered.ts";
import { scopeOf } from "./scope.testing.ts";

const smtp = { channel: "email", provider: "smtp" } as const;

function renderAll(data: JsonObject): Rendered | RenderFailure {
  const compiled = compileContent(EVERY_ELEMENT);
  assert.ok(compiled.ok);
  return compiled.template.render(smtp, { ...SHOPPER, data: { ...SHOPPER.data, ...data } });
}

/**
 * The tags of a document with their attribute names, and the schemes its links have; `<br>` is left out. Stricter than a
 * browser: whatever it cannot read makes the test fail.
 */
function skeletonOf(html: string): string[] {
  const tags: string[] = [];
  const rest = html.replace(/<!DOCTYPE html>|<!--\[if mso\]>|<!\[endif\]-->|<style>[^<]*<\/style>/g, "");
  for (const [tag] of rest.matchAll(/<[^>]*>?/g)) {
    const match = /^<(\/?[a-z][a-z0-9]*)((?:\s+[a-z-]+(?:=(?:"[^"<>]*"|[^\s"'<>=`]*))?)*)\s*>$/.exec(tag);
    assert.ok(match !== null, `unreadable tag ${tag}`);
    if (match[1] === "br") continue;
    const attributes = [...(match[2] ?? "").matchAll(/\s+([a-z-]+)(?:=(?:"([^"]*)"|(\S+)))?/g)].map(
      ([, name, quoted, bare]) => {
        const value = quoted ?? bare ?? "";
        return name === "href" || name === "src"
          ? `${name}:${/^[a-z]+:/i.exec(value)?.[0] ?? value.slice(0, 1)}`
          : name;
      },
    );
    tags.push(`${match[1] ?? ""} ${attributes.join(" ")}`);
  }
  return tags;
}

const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "<",
        ">",
        '"',
        "'",
        "&",
        "`",
        "=",
        " ",
        "\n",
        "\r",
        "{",
        "}",
        "{{",
        "}}",
        "</p>",
        "<script>",
        "-->",
        "]]>",
        "onload=",
        "javascript:",
        "&#34;",
        "&quot;",
        "*",
        "**",
        "[x](javascript:1)",
        "\u0001",
        "\u2028",
        "%",
        "\\",
        "style=",
        "/",
        "?",
        "#",
        "\ud800",
      ),
      fc.string({ maxLength: 4, unit: "binary" }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join(""));

test("whatever the data holds, the mail's markup stays what the template made it", () => {
  const harmless = renderAll({ name: "x", evil: "javascript:x" });
  assert.ok(harmless.ok);
  const expected = skeletonOf(harmless.html);
  fc.assert(
    fc.property(nasty, nasty, nasty, (name, number, title) => {
      const data = {
        name,
        evil: `javascript:${name}`,
        order: { number, total: 24.5, url: "https://shop.example/o" },
        items: [
          { title, quantity: number },
          { title: name, quantity: 1 },
        ],
      };
      const rendered = renderAll(data);
      assert.ok(rendered.ok);
      assert.deepEqual(skeletonOf(rendered.html), expected);
      assert.ok(!/[\r\n]/.test(rendered.title));
    }),
    { numRuns: 300 },
  );
});

test("an address from the data cannot leave its attribute, nor lead to a script", () => {
  fc.assert(
    fc.property(nasty, (url) => {
      const rendered = renderAll({ evil: url, order: { number: "1", total: 1, url } });
      assert.ok(rendered.ok);
      for (const tag of skeletonOf(rendered.html))
        assert.doesNotMatch(tag, /(?:href|src):(?!https?:|mailto:|tel:|cid:)[a-z]+:/i);
    }),
    { numRuns: 300 },
  );
});

/** Every place where somebody's data can stand, by the context that it would have to break out of. */
const POSITIONS: Readonly<Record<string, (slot: string) => JsonObject>> = {
  "a text": (slot) => ({ type: "text", content: `a${slot}b` }),
  "a heading": (slot) => ({ type: "text", text_style: "h1", content: `a${slot}b` }),
  "markdown": (slot) => ({ type: "text", format: "markdown", content: `- **a${slot}b**\n- _${slot}x_ \`${slot}y\`` }),
  "a markdown link": (slot) => ({
    type: "text",
    format: "markdown",
    content: `[a${slot}b](https://example.com/${slot}?q=${slot})`,
  }),
  "a quote": (slot) => ({ type: "quote", content: `a${slot}b` }),
  "a list": (slot) => ({ type: "list", elements: [{ type: "list-item", content: `a${slot}b` }] }),
  "a string": (slot) => ({ type: "text", elements: [{ type: "string", content: `a${slot}b`, bold: true }] }),
  "a translation": (slot) => ({ type: "text", content: "x", locales: { de: { content: `a${slot}b` } } }),
  "a turn of a loop": () => ({
    type: "group",
    loop: "data.list",
    elements: [{ type: "text", content: "a{{$.item}}b" }],
  }),
  "an attribute": (slot) => ({ type: "image", src: "https://example.com/i.png", alt_text: `a${slot}b` }),
  "the address of an image": (slot) => ({ type: "image", src: `https://example.com/${slot}.png?v=${slot}` }),
  "the address of a button": (slot) => ({
    type: "action",
    content: `a${slot}b`,
    href: `https://example.com/${slot}?q=${slot}#${slot}`,
  }),
  "the address of a link": (slot) => ({
    type: "text",
    elements: [{ type: "link", content: `a${slot}b`, href: `https://example.com/?q=${slot}` }],
  }),
  "own markup": (slot) => ({
    type: "html",
    content: `<p title="a${slot}b" class='a${slot}b' id=a${slot}b>a${slot}b<a href="https://example.com/?q=${slot}">x</a></p>`,
  }),
};

for (const [name, elementOf] of Object.entries(POSITIONS)) {
  test(`data in ${name} stays in its place, on every channel`, () => {
    const compiled = compileContent({
      version: "2022-01-01",
      elements: [{ type: "meta", title: "a{{x}}b" }, elementOf("{{x}}")],
    });
    assert.ok(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
    const say = (x: string, channel: "email" | "sms" | "push") => {
      const said = compiled.template.render({ channel, provider: "x" }, scopeOf({ x, list: [x] }, { locale: "de" }));
      assert.ok(said.ok);
      return said;
    };
    const expected = skeletonOf(inDoubleQuotes(say("x", "email").html));
    fc.assert(
      fc.property(nasty, (x) => {
        assert.deepEqual(skeletonOf(inDoubleQuotes(say(x, "email").html)), expected);
        // The title becomes a header field.
        for (const channel of ["email", "sms", "push"] as const) assert.doesNotMatch(say(x, channel).title, /[\r\n]/);
      }),
      { numRuns: 100 },
    );
  });
}

/** Attributes that somebody wrote in single quotes, as the reader above takes them. */
function inDoubleQuotes(html: string): string {
  return html.replaceAll(/='([^'"<>]*)'/g, '="$1"');
}

test("any JSON is either compiled or refused with reasons, and what compiles renders", () => {
  const word = fc.constantFrom(
    "text",
    "list",
    "list-item",
    "columns",
    "column",
    "group",
    "meta",
    "action",
    "image",
    "html",
    "channel",
    "quote",
    "divider",
    "string",
    "link",
    "img",
    "jsonnet",
    "comment",
    "default",
    "email",
    "x",
  );
  const field = fc.constantFrom(
    "type",
    "content",
    "elements",
    "title",
    "href",
    "src",
    "if",
    "loop",
    "ref",
    "data",
    "locales",
    "channels",
    "channel",
    "raw",
    "format",
    "color",
    "width",
    "border",
    "padding",
    "text_style",
    "de",
  );
  const words = fc.oneof(
    word,
    nasty,
    fc.constantFrom("{{a}}", "{{#each l}}{{this}}{{/each}}", "markdown", "data.l", "data.a == 1", "#fff"),
  );
  const { node } = fc.letrec<{ node: Json; object: Json }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      words,
      fc.constantFrom<Json>(1, null, true),
      tie("object"),
      fc.array(tie("node"), { maxLength: 4 }),
    ),
    object: fc
      .dictionary(field, tie("node"), { maxKeys: 5 })
      .chain((fields) => word.map((type): Json => ({ ...fields, type }))),
  }));
  const content = fc.oneof(
    fc.json().map((text): Json => JSON.parse(text) as Json),
    fc.array(node, { maxLength: 4 }).map((elements): Json => ({ elements })),
    node,
  );
  fc.assert(
    fc.property(content, (json) => {
      const compiled = compileContent(json);
      if (!compiled.ok) {
        assert.ok(
          compiled.faults.length > 0 && compiled.faults.every(({ path, problem }) => path !== "" && problem !== ""),
        );
        return;
      }
      for (const channel of ["email", "sms", "push"] as const) {
        const rendered = compiled.template.render(
          { channel, provider: "x" },
          scopeOf({ a: 1, l: ["x", { a: "y" }] }, { locale: "de" }),
        );
        if (rendered.ok) skeletonOf(rendered.raw === null && !/"html"/.test(JSON.stringify(json)) ? rendered.html : "");
      }
    }),
    { numRuns: 500 },
  );
});

test("a rendering ends, and says why if it ends early", () => {
  const loop = (inner: string): string => `{{#each l}}${inner}{{/each}}`;
  const inner = fc.constantFrom(
    "x",
    "{{this}}",
    "{{concat b b b}}",
    "{{b}}",
    "{{truncate b 9}}",
    "{{#if (condition b '==' b)}}y{{/if}}",
    "{{trim b}}",
    "{{.}}",
  );
  fc.assert(
    fc.property(inner, fc.nat(3), fc.nat(120), fc.constantFrom(1, 1_000, 200_000), (leaf, depth, length, size) => {
      let body: string = leaf;
      for (let at = 0; at <= depth; at += 1) body = loop(body.replaceAll("{{#each l}}", "{{#each @root.l}}"));
      const compiled = compileContent({ title: leaf, body });
      if (!compiled.ok) return;
      const data = { l: Array.from({ length }, () => "i"), b: " <b>".repeat(size / 4) };
      const rendered = compiled.template.render(smtp, scopeOf(data));
      if (rendered.ok) assert.ok(rendered.html.length + rendered.text.length < 8 * RENDER_CHARS_MAX);
      else assert.match(rendered.problem, /more than \d+/);
    }),
    { numRuns: 60 },
  );
});

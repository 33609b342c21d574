import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel } from "#domain/content.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import { type CompileOptions, compileContent } from "./compile.ts";
import {
  ELEMENT_DEPTH_MAX,
  ELEMENTS_MAX,
  FAULTS_MAX,
  LIST_DEPTH_MAX,
  TEMPLATE_CHARS_MAX,
  TEMPLATE_TAGS_MAX,
} from "./limits.ts";
import type { Rendered, RenderFailure } from "./rendered.ts";
import type { Scope } from "./scope.ts";
import { scopeOf } from "./scope.testing.ts";

type Way = {
  readonly channel?: Channel;
  readonly provider?: string;
  readonly options?: CompileOptions;
} & Partial<Scope>;

function render(content: Json, data: JsonObject = {}, way: Way = {}): Rendered | RenderFailure {
  const { channel = "email", provider = "smtp", options, ...more } = way;
  const compiled = compileContent(content, options);
  assert.ok(compiled.ok, compiled.ok ? "" : JSON.stringify(compiled.faults));
  return compiled.template.render({ channel, provider }, scopeOf(data, more));
}

function said(content: Json, data: JsonObject = {}, way: Way = {}): Rendered {
  const rendered = render(content, data, way);
  assert.ok(rendered.ok, rendered.ok ? "" : rendered.problem);
  return rendered;
}

/** What stands between the shell's own table and its end. */
function bodyOf(rendered: Rendered): string {
  return (
    /<td class="c[dp]"[^>]*>\n([^]*?)<\/td><\/tr>\n(?:<tr><td align="center"|<\/table>)/
      .exec(rendered.html)?.[1]
      ?.trim() ?? "no body"
  );
}

const doc = (...elements: Json[]): JsonObject => ({ version: "2022-01-01", elements });
const text = (content: string, more: JsonObject = {}): JsonObject => ({ type: "text", content, ...more });

function faultsOf(content: Json): string[] {
  const compiled = compileContent(content);
  return compiled.ok ? [] : compiled.faults.map(({ path, problem }) => `${path}: ${problem}`);
}

test("a title and a body are a whole mail", () => {
  const mail = said(
    { title: "Hi {name}\r\nBcc: x", body: "Dear {{name}},\nwelcome." },
    { name: "Ada & Co" },
    { locale: "de_CH" },
  );
  assert.equal(mail.title, "Hi Ada & Co Bcc: x");
  assert.equal(mail.text, "Dear Ada & Co,\nwelcome.");
  assert.equal(bodyOf(mail), '<p style="margin:0 0 16px;">Dear Ada &amp; Co,<br>welcome.</p>');
  assert.match(mail.html, /^<!DOCTYPE html>\n<html lang="de-ch" dir="ltr">/);
  assert.match(mail.html, /<title>Hi Ada &amp; Co Bcc: x<\/title>/);
  assert.deepEqual(mail.blocks, [{ type: "text", text: "Dear Ada & Co,\nwelcome." }]);
});

test("other channels get the words without the mail around them", () => {
  const content = doc(
    { type: "meta", title: "T" },
    text("Hello", { text_style: "h1" }),
    { type: "divider" },
    { type: "action", content: "Go", href: "https://a.b/" },
  );
  const sms = said(content, {}, { channel: "sms", provider: "twilio" });
  assert.deepEqual([sms.title, sms.html, sms.text], ["T", "", "Hello\n\nGo: https://a.b/"]);
  const push = said(content, {}, { channel: "push", provider: "firebase-fcm" });
  assert.equal(push.text, "Hello");
  assert.deepEqual(push.actions, [{ label: "Go", url: "https://a.b/" }]);
  assert.deepEqual(push.blocks, [
    { type: "text", text: "Hello" },
    { type: "action", text: "Go" },
  ]);
});

test("list mail says how to leave, once, unless its author does", () => {
  const builtins = { ...scopeOf().builtins, unsubscribeUrl: "https://x.y/u?a=1&b=2", preferencesUrl: "https://x.y/p" };
  const mail = said({ title: "T", body: "B" }, {}, { builtins });
  assert.match(mail.html, /<a href="https:\/\/x\.y\/u\?a=1&amp;b=2"[^>]*>Unsubscribe<\/a>/);
  assert.match(mail.text, /^B\n\n-- \nUnsubscribe: https:\/\/x\.y\/u\?a=1&b=2\nPreferences: https:\/\/x\.y\/p$/);
  const own = said({ title: "T", body: "Leave: {{urls.unsubscribe}}" }, {}, { builtins });
  assert.doesNotMatch(own.html, /Unsubscribe/);
  assert.doesNotMatch(said({ title: "T", body: "B" }).html, /Preferences|Unsubscribe/);
});

test("channels, conditions and loops decide what is said", () => {
  const content = doc(
    text("sms only", { channels: ["sms"] }),
    text("by provider", { channels: ["smtp"] }),
    text("vip", { if: "data.vip" }),
    text("{{$.index}} {{$.item.name}} of {{name}}", { loop: "data.items", if: "$.item.name !== 'skip'" }),
    text("none", { loop: "{{missing}}" }),
  );
  const data = { name: "Ada", items: [{ name: "a" }, { name: "skip" }, { name: "b" }] };
  assert.equal(said(content, data).text, "by provider\n\n0 a of Ada\n\n2 b of Ada");
  assert.equal(said(content, { vip: true }, { channel: "sms", provider: "twilio" }).text, "sms only\n\nvip");
});

test("a loop inside a loop sees its own item, and gives the outer one back", () => {
  const content = doc({
    type: "group",
    loop: "data.orders",
    elements: [text("{{$.item.id}}:"), text("- {{$.item}}", { loop: "$.item.lines" }), text("/{{$.item.id}}")],
  });
  const data = {
    orders: [
      { id: 1, lines: ["a", "b"] },
      { id: 2, lines: [] },
    ],
  };
  assert.equal(said(content, data).text, "1:\n\n- a\n\n- b\n\n/1\n\n2:\n\n/2");
});

test("a ref tells later elements whether it was shown, an element's data lies over the message's", () => {
  const content = doc(
    text("early {{refs.a.visible}}"),
    text("A", { ref: "a", if: "data.show" }),
    text("instead of {{refs.a.content}}", { if: "!refs.a.visible" }),
    text("{{who}} {{data.who}} {{other}}", { data: { who: "element" } }),
  );
  assert.equal(said(content, { show: true, who: "message", other: "o" }).text, "early\n\nA\n\nelement element o");
  assert.equal(said(content, { who: "message" }).text, "early\n\ninstead of A\n\nelement element");
});

test("a locale is chosen exactly, then by language", () => {
  const content = doc(
    { type: "meta", title: "Hello", locales: { de: { title: "Hallo" } } },
    text("colour", {
      locales: {
        "de-CH": { content: "Farb" },
        de: { content: "Farbe" },
        fr_FR: { elements: [{ type: "string", content: "couleur" }] },
      },
    }),
    { type: "list", elements: [{ type: "list-item", content: "one", locales: { de: { content: "eins" } } }] },
    { type: "text", elements: [{ type: "string", content: "red", locales: { de: { content: "rot" } } }] },
  );
  const inLocale = (locale: string | null): string => {
    const { title, text: words } = said(content, {}, { locale });
    return `${title}|${words.replaceAll("\n\n", "|")}`;
  };
  assert.equal(inLocale("de_CH"), "Hallo|Farb|- eins|rot");
  assert.equal(inLocale("de-AT"), "Hallo|Farbe|- eins|rot");
  assert.equal(inLocale("fr"), "Hello|couleur|- one|red");
  assert.equal(inLocale("it"), "Hello|colour|- one|red");
  assert.equal(inLocale(null), "Hello|colour|- one|red");
});

test("one channel element per channel: the provider's, the channel's, then the default", () => {
  const content = doc(
    { type: "channel", channel: "default", elements: [text("for all")] },
    { type: "channel", channel: "email", elements: [{ type: "meta", title: "Mail" }, text("for mail")] },
    { type: "channel", channel: "twilio", elements: [text("for twilio")] },
  );
  assert.equal(said(content).text, "for mail");
  assert.equal(said(content, {}, { channel: "sms", provider: "twilio" }).text, "for twilio");
  assert.equal(said(content, {}, { channel: "sms", provider: "vonage" }).text, "for all");
  const only = doc({ type: "channel", channel: "push", elements: [text("x")] });
  assert.deepEqual(render(only), {
    ok: false,
    problem: "the template says nothing on email (smtp), and has no default",
  });
});

test("raw content keeps its shape and fills its variables", () => {
  const content = doc(
    {
      type: "channel",
      channel: "email",
      raw: {
        subject: "S {{n}}\n",
        html: "<p title={{n}}>{{n}}</p><style>p { color: red }</style>",
        transformers: ["handlebars"],
      },
    },
    {
      type: "channel",
      channel: "push",
      raw: { title: "T {n}", text: "B {n}", data: { deep: ["{n}", 1, null, true] } },
    },
    {
      type: "channel",
      channel: "webhook",
      raw: { payload: { body: '{"name": "{{n}}", "list": {{l}}, "none": {{x}}}' } },
    },
    { type: "channel", channel: "slack", raw: { slackBlocks: [{ text: { text: "{n}" } }] } },
  );
  const data = { n: 'a "b"\n<c>', l: [1] };
  const mail = said(content, data);
  assert.deepEqual([mail.title, mail.text], ['S a "b" <c>', 'a "b"\n<c>']);
  assert.equal(
    mail.html,
    "<p title=a&#32;&quot;b&quot;&#10;&lt;c&gt;>a &quot;b&quot;<br>&lt;c&gt;</p><style>p { color: red }</style>",
  );
  const push = said(content, { n: 1 }, { channel: "push", provider: "expo" });
  assert.deepEqual(
    [push.title, push.text, push.raw],
    ["T 1", "B 1", { title: "T 1", text: "B 1", data: { deep: ["1", 1, null, true] } }],
  );
  const hook = said(content, data, { channel: "webhook", provider: "webhook" });
  assert.deepEqual(JSON.parse(hook.text), { name: 'a "b"\n<c>', list: [1], none: null });
  assert.deepEqual(said(content, { n: 2 }, { channel: "direct_message", provider: "slack" }).raw, {
    slackBlocks: [{ text: { text: "2" } }],
  });
});

test("links lead only where it is harmless", () => {
  const link = (href: string, data: JsonObject = {}): string =>
    bodyOf(said(doc({ type: "text", elements: [{ type: "link", content: "x", href }] }), data));
  const target = (html: string): string => /href="([^"]*)"/.exec(html)?.[1] ?? "no link";
  assert.equal(
    target(link("https://a.b/{{p}}?q={{q}}", { p: "x y/é", q: "a&b=c#d+e" })),
    "https://a.b/x%20y/%C3%A9?q=a%26b%3Dc%23d%2Be",
  );
  assert.equal(target(link("{{u}}", { u: "https://a.b/?x=1&y=%20z" })), "https://a.b/?x=1&amp;y=%20z");
  assert.equal(target(link("{{u}}&z={{z}}", { u: "https://a.b/?x=1", z: "1 2" })), "https://a.b/?x=1&amp;z=1%202");
  for (const fine of ["mailto:a@b.c", "tel:+41", "/path", "HTTP://A.b"]) assert.equal(target(link(fine)), fine);
  for (const evil of [
    "javascript:alert(1)",
    " java\nscript:alert(1)",
    "JAVASCRIPT:x",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc",
    "cid:x",
    "\u0001javascript:x",
  ]) {
    assert.equal(target(link(evil)), "no link", evil);
    assert.match(target(link("{{u}}", { u: evil })), /^(?:no link|[^:]*%[^:]*:.*)$/, evil);
  }
  assert.equal(target(link("{{a}}{{b}}", { a: "java", b: "script:x" })), "no link");
});

test("pictures come from the web or the mail itself", () => {
  const source = (src: string): string =>
    /src="([^"]*)"/.exec(bodyOf(said(doc({ type: "image", src, alt_text: "A" }))))?.[1] ?? "none";
  for (const fine of ["https://a.b/c.png", "cid:logo", "data:image/png;base64,AAAA"]) assert.equal(source(fine), fine);
  for (const evil of ["javascript:x", "data:image/svg+xml;base64,AAAA", "data:text/html,x", "mailto:x"])
    assert.equal(source(evil), "none");
});

test("styles are taken only if they are plain values", () => {
  const evil = {
    color: "red;background:url(//x)",
    font_size: "1px;x:y",
    padding: "expression(1)",
    background_color: "{{c}}",
  };
  const html = bodyOf(said(doc(text("x", evil)), { c: "blue;x:url(y)" }));
  assert.doesNotMatch(html, /url|expression|x:y|blue/);
  assert.match(
    bodyOf(said(doc(text("x", { color: "#f00", padding: "4px 8", align: "center", bold: "true" })))),
    /text-align:center;font-weight:700;color:#f00;padding:4px 8px;/,
  );
  assert.match(bodyOf(said(doc(text("x", { color: "{c}" })), { c: "rgb(1, 2, 3)" })), /color:rgb\(1, 2, 3\);/);
});

test("variables in the author's own HTML are escaped for where they stand", () => {
  const html = (content: string, data: JsonObject): string => bodyOf(said(doc({ type: "html", content }), data));
  const x = `" onclick='a'><b>`;
  assert.equal(
    html(`<i a="{{x}}" b={{x}} c>{{x}}</i>`, { x: "1 2=`>" }),
    '<i a="1&#32;2&#61;&#96;&gt;" b=1&#32;2&#61;&#96;&gt; c>1 2=`&gt;</i>',
  );
  assert.equal(html('<a href="{{x}}">', { x: "javascript:1" }), '<a href="#">');
  assert.equal(
    html('<a href="https://a/{{x}}?b={{x}}">', { x }),
    '<a href="https://a/%22%20onclick&#61;&#39;a&#39;%3E%3Cb%3E?b&#61;'.replace("?b&#61;", "?b=") +
      '%22%20onclick%3D&#39;a&#39;%3E%3Cb%3E">',
  );
  assert.equal(html("<img src={{x}}>", { x: "data:text/html,1" }), "<img src=>");
  assert.equal(html("<!-- {{x}} -->{{x}}", { x: "a\nb" }), "<!-- a&#10;b -->a<br>b");
  assert.equal(
    said(doc({ type: "html", content: "<p>A&amp;B <a href='https://a'>c</a></p><style>x</style><ul><li>d</ul>" })).text,
    "A&B c (https://a)\n\n- d",
  );
});

test("a missing variable fails the channel if the template says so, after its conditions", () => {
  const content = doc(text("{{a.b}}", { if: "data.a" }));
  assert.equal(said(content, {}, { options: { onMissing: "fail" } }).text, "");
  assert.deepEqual(render(content, { a: {} }, { options: { onMissing: "fail" } }), {
    ok: false,
    problem: 'the variable "a.b" has no value',
  });
});

test("what is wrong is named with its place", () => {
  assert.deepEqual(faultsOf("x"), ["content: must be an object: { title, body } or { version, elements }"]);
  assert.deepEqual(faultsOf({}), ["content: needs a title and a body, or elements"]);
  assert.deepEqual(faultsOf({ elements: {} }), ["content.elements: must be a list of elements"]);
  assert.deepEqual(faultsOf(doc({ type: "texte" }, {}, 1)).sort(), [
    'content.elements[0].type: there is no element type "texte"',
    "content.elements[1].type: an element needs a type",
    "content.elements[2]: must be an element: an object with a type",
  ]);
  assert.deepEqual(
    faultsOf(
      doc(text("a"), text("{{shout x}}"), text("b", { if: "a(", loop: "a b", channels: "sms", ref: "a b" })),
    ).map((fault) => fault.split(":")[0]),
    [
      "content.elements[1].content",
      "content.elements[2].channels",
      "content.elements[2].if",
      "content.elements[2].loop",
      "content.elements[2].ref",
    ],
  );
  assert.match(
    faultsOf(doc({ type: "group", elements: [text("x", { text_style: "h9" })] }))[0] ?? "",
    /^content\.elements\[0\]\.elements\[0\]\.text_style: is one of/,
  );
  assert.match(
    faultsOf(doc(text("a"), { type: "channel", channel: "email", elements: [] }))[0] ?? "",
    /either all top elements/,
  );
  assert.match(
    faultsOf(doc({ type: "group", elements: [{ type: "channel", channel: "x", elements: [] }] }))[0] ?? "",
    /only at the top/,
  );
  assert.match(faultsOf(doc({ type: "channel", channel: "email" }))[0] ?? "", /needs elements or raw/);
  assert.match(faultsOf(doc({ type: "jsonnet", content: "{}" }))[0] ?? "", /jsonnet is not supported/);
  assert.deepEqual(
    faultsOf(doc({ type: "channel", channel: "slack", elements: [{ type: "jsonnet", content: "{}" }] })),
    [],
  );
  assert.match(
    faultsOf(doc({ type: "channel", channel: "email", raw: { html: "x", transformers: ["mjml"] } }))[0] ?? "",
    /mjml/,
  );
});

test("templates beyond every limit are refused, quickly", () => {
  const nest = (depth: number, wrap: (inner: Json) => Json): Json => {
    let inner: Json = text("x");
    for (let at = 0; at < depth; at += 1) inner = wrap(inner);
    return inner;
  };
  const groups = (depth: number): string[] =>
    faultsOf(doc(nest(depth, (inner) => ({ type: "group", elements: [inner] }))));
  assert.deepEqual(groups(ELEMENT_DEPTH_MAX - 1), []);
  assert.match(groups(10_000)[0] ?? "", /nested deeper than/);
  const lists = (depth: number): string[] =>
    faultsOf(doc(nest(depth, (inner) => ({ type: "list", elements: [{ type: "list-item", elements: [inner] }] }))));
  assert.deepEqual(lists(LIST_DEPTH_MAX), []);
  assert.match(lists(LIST_DEPTH_MAX + 1)[0] ?? "", /lists are nested deeper than/);
  assert.match(
    faultsOf(doc({ type: "channel", channel: "x", raw: nest(10_000, (inner) => [inner]) }))[0] ?? "",
    /must be an object/,
  );
  assert.match(
    faultsOf(doc({ type: "channel", channel: "x", raw: { a: nest(10_000, (inner) => [inner]) } }))[0] ?? "",
    /nested deeper than/,
  );
  assert.match(
    faultsOf({ elements: Array.from({ length: ELEMENTS_MAX + 5 }, () => text("x")) })[0] ?? "",
    /more than 2000 elements/,
  );
  assert.match(faultsOf({ title: "", body: "x".repeat(TEMPLATE_CHARS_MAX + 1) })[0] ?? "", /longer than/);
  assert.match(
    faultsOf({ title: "", body: "{a}".repeat(TEMPLATE_TAGS_MAX + 1) })[0] ?? "",
    /more than 20000 variables/,
  );
  assert.match(
    faultsOf(doc(text("{a}".repeat(TEMPLATE_TAGS_MAX)), text("{a}"), text("{b}")))[0] ?? "",
    /^content\.elements\[1\]\.content: the template has more than 20000 variables/,
  );
  assert.equal(faultsOf({ elements: Array.from({ length: 500 }, () => 1) }).length, FAULTS_MAX);
});

test("a rendering beyond every limit fails with a sentence", () => {
  const many = Array.from({ length: 300 }, () => 1);
  const cubed = doc({
    type: "group",
    loop: "data.l",
    elements: [text("x", { loop: "data.l", if: "false" })],
  });
  const loops = render(cubed, { l: many });
  assert.ok(!loops.ok && /turn more than 10000 times/.test(loops.problem));
  const wide = doc({
    type: "group",
    loop: "data.l",
    elements: Array.from({ length: 60 }, () => ({ type: "divider" })),
  });
  const size = render(wide, { l: many });
  assert.ok(!size.ok && /more than 1048576 characters/.test(size.problem));
});

test("text written twice, as HTML and as text, pays for its loops once", () => {
  const mail = said({ title: "T", body: "{{#each l}}.{{/each}}" }, { l: Array.from({ length: 9_000 }, () => 1) });
  assert.equal(mail.text.length, 9_000);
});

test("columns without a width share what the others leave", () => {
  const column = (width?: string): JsonObject => ({
    type: "column",
    elements: [text("x")],
    ...(width === undefined ? {} : { width }),
  });
  const widths = (...columns: JsonObject[]): string[] =>
    [
      ...bodyOf(said(doc({ type: "columns", elements: columns }))).matchAll(
        /<td class="co" valign="top" width="([^"]*)"/g,
      ),
    ].map((match) => match[1] ?? "");
  assert.deepEqual(widths(column("60%"), column()), ["60%", "40%"]);
  assert.deepEqual(widths(column(), column(), column()), ["33%", "33%", "33%"]);
  assert.deepEqual(widths(column("120px"), column()), ["120px", "100%"]);
});

test("right-to-left languages run that way", () => {
  assert.match(
    said({ title: "T", body: "B" }, {}, { locale: "ar_EG" }).html,
    /<html lang="ar-eg" dir="rtl">[^]*text-align:right/,
  );
  assert.match(said({ title: "T", body: "B" }, {}, { locale: '"><script>' }).html, /<html lang="en" dir="ltr">/);
});

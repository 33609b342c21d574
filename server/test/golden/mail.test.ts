import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { compileContent } from "#templates/compile.ts";
import { EVERY_ELEMENT, SHOPPER } from "./every-element.ts";

/** Compares with the file beside this one; `node --test --test-update-snapshots` writes it anew. Then read the diff. */
function sameAsFile(words: string, name: string): void {
  const file = new URL(name, import.meta.url);
  if (process.execArgv.includes("--test-update-snapshots")) writeFileSync(file, words);
  assert.equal(words, readFileSync(file, "utf8"), `${name} differs; if that is meant: --test-update-snapshots`);
}

test("a mail with every element reads the way we promised, as HTML and as text", () => {
  const compiled = compileContent(EVERY_ELEMENT);
  assert.ok(compiled.ok);
  const mail = compiled.template.render({ channel: "email", provider: "smtp" }, SHOPPER);
  assert.ok(mail.ok);
  assert.equal(mail.title, 'Order PX-42 is on its way, Ada <script>alert("1")</script>');
  sameAsFile(mail.html, "every-element.html");
  sameAsFile(`${mail.text}\n`, "every-element.txt");
});

test("the same on a phone, as an SMS and as a push, is words only", () => {
  const compiled = compileContent(EVERY_ELEMENT);
  assert.ok(compiled.ok);
  const sms = compiled.template.render({ channel: "sms", provider: "twilio" }, { ...SHOPPER, locale: "de-CH" });
  const push = compiled.template.render({ channel: "push", provider: "expo" }, { ...SHOPPER, locale: "fr_CA" });
  assert.ok(sms.ok && push.ok);
  sameAsFile(`${sms.text}\n`, "every-element.sms.txt");
  sameAsFile(`${push.title}\n\n${push.text}\n`, "every-element.push.txt");
});

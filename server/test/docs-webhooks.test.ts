import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#drivers/system/clock.ts";
import { openWebCaller } from "#providers/webhook/web-caller.ts";
import { Receiver } from "./support/webhooks-world.ts";

const PAGE = readFileSync(`${import.meta.dirname}/../../docs/webhooks.md`, "utf8");
const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(32, 2).toString("base64")}`;

test("the page's receiver in Node accepts a call of ours, and only with the right secret and body", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tidings-docs-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "verify.mjs");
  writeFileSync(file, block("js"));
  // The page's own code: what it exports stands there.
  const { verify } = (await import(file)) as { verify: (secret: string, headers: object, body: string) => boolean };
  const { headers, body } = await aCall();
  assert.deepEqual(
    [verify(SECRET, headers, body), verify(OTHER, headers, body), verify(SECRET, headers, `${body} `)],
    [true, false, false],
  );
});

test("the page's receiver in Python does, too", async (t) => {
  if (spawnSync("python3", ["--version"]).status !== 0) return t.skip("there is no python3");
  const { headers, body } = await aCall();
  const asks = [
    [SECRET, body],
    [OTHER, body],
    [SECRET, `${body} `],
  ];
  const given = JSON.stringify({ headers, asks });
  const program = `${block("python")}
import json, sys
given = json.load(sys.stdin)
print([verify(secret, given["headers"], body.encode()) for secret, body in given["asks"]])`;
  const { stdout, stderr } = spawnSync("python3", ["-c", program], { input: given, encoding: "utf8" });
  assert.equal(stdout.trim(), "[True, False, False]", stderr);
});

/** The first block of a language. */
function block(language: string): string {
  const [, code] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(PAGE) ?? [];
  assert.ok(code !== undefined, `the page has a block of ${language}`);
  return code;
}

/** As it arrives, signed with two secrets. */
async function aCall() {
  await using receiver = await Receiver.open();
  await using caller = openWebCaller({ clock: systemClock() });
  const sign = { id: "msg_1", secrets: [`whsec_${Buffer.alloc(32, 3).toString("base64")}`, SECRET] };
  const call = { url: receiver.url, headers: {}, body: '{"type":"ä"}', traceparent: null, allowPrivate: true };
  const { signal } = new AbortController();
  await caller.post({ ...call, sign: { ...sign, scheme: "standard" }, timeoutMs: 5_000 }, signal);
  const [received] = receiver.received;
  assert.ok(received !== undefined);
  return received;
}

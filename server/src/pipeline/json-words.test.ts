import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "#domain/json.ts";
import { ScriptedProvider, World } from "../../test/support/world.ts";

test("whatever the data holds, what a webhook gets is JSON that says exactly that", async () => {
  const value = fc.jsonValue({ maxDepth: 3 }).map((one) => JSON.parse(JSON.stringify(one)) as Json);
  const nasty = fc.constantFrom('"}', "\\", '\\"', "\u2028", "\ud800", "\u0000", "</script>", "{{x}}", "${x}");
  const provider = new ScriptedProvider("webhook", ["webhook"]);
  const world = await World.start({ providers: [provider] });
  await fc.assert(
    fc.asyncProperty(value, fc.oneof(nasty, fc.string({ unit: "binary" })), async (any, text) => {
      const data: JsonObject = { any, text };
      const sent = await world.send({
        to: { webhook: { url: "https://example.com/hook" }, given_name: text },
        content: { title: "a{{text}}b", body: "b" },
        data,
        metadata: { event: "it happened" },
      });
      assert.ok(sent.kind === "accepted");
      await world.pass(1);
      const envelope = provider.seen.at(-1);
      assert.ok(envelope?.content.channel === "webhook");
      const said = JSON.parse(envelope.content.body) as JsonObject;
      assert.deepEqual(said["data"], data);
      assert.deepEqual(said["profile"], { given_name: text });
      assert.equal(typeof said["title"], "string");
    }),
    { numRuns: 60 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#domain/json.ts";
import type { MessageId } from "#domain/ids.ts";
import { World } from "../../test/support/world.ts";

/** A world in which somebody's secret lies in the blob store, twice: as a large field, and as a file. */
async function givenSecret(): Promise<{ readonly world: World; readonly field: string; readonly file: string }> {
  const world = await World.start();
  const sent = await world.send({
    to: { email: "victim@example.com" },
    content: { title: "t", body: "b" },
    data: { secret: "x".repeat(70_000) },
    channels: {
      email: { override: { attachments: [{ filename: "f", contentType: "text/plain", data: "c2VjcmV0" }] } },
    },
  });
  assert.ok(sent.kind === "accepted");
  const [field, file] = [`${sent.requestId}-f0`, `${sent.requestId}-a0`];
  for (const blob of [field, file]) assert.notEqual(await world.blobs.get(blob), null, blob);
  return { world, field, file };
}

const thief = { to: { email: "thief@example.com" }, content: { title: "[{{secret}}]", body: "b" } };

test("who names a blob in a field does not get what is in it, also after a restart and when it is sent again", async () => {
  const { world, field } = await givenSecret();
  for (const name of [field, "never-was"]) {
    const sent = await world.send({ ...thief, data: { $blob: name }, delay: { duration: 60_000 } });
    assert.ok(sent.kind === "accepted");
    await world.restart();
    await world.pass(61_000);
    const subject = (): string | null => {
      const content = world.provider.seen.at(-1)?.content;
      return content?.channel === "email" ? content.subject : null;
    };
    assert.equal(subject(), "[]");
    // One recipient: the message is named like the request.
    const id = sent.requestId as unknown as MessageId;
    const resent = await world.settle(world.pipeline.desk.resend(id, "test"));
    assert.equal(resent.kind, "resent");
    await world.pass(1_000);
    assert.equal(subject(), "[]");
    assert.equal((await world.settle(world.pipeline.desk.output(id)))?.[0]?.title, "[]");
  }
});

test("who names another's file as an attachment sends none", async () => {
  const { world, file } = await givenSecret();
  const attachments = [{ filename: "x", contentType: "text/plain", blob: file, bytes: 6 }];
  const overrides: readonly JsonObject[] = [
    { providers: { smtp: { override: { body: { attachments } } } } },
    { channels: { email: { override: { body: { attachments } } } } },
  ];
  for (const override of overrides) {
    const sent = await world.send({ ...thief, ...override });
    assert.equal(sent.kind, "accepted");
    await world.pass(1_000);
    const content = world.provider.seen.at(-1)?.content;
    assert.ok(content?.channel === "email" && content.to === "thief@example.com");
    assert.deepEqual(content.attachments, []);
  }
});

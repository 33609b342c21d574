import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { replay } from "#doors/http/commit-answer.ts";
import type { RequestId } from "#domain/ids.ts";
import { StoreFault } from "#ports/store.ts";
import { World } from "../../test/support/world.ts";

/**
 * Calls with few keys and few bodies, many of them at once, while commits fail, commits whose answer is lost, and the
 * process dies. One key is one message, every good answer to it is the same, and another body is refused.
 */

const call = fc.record({
  do: fc.constant("call" as const),
  key: fc.constantFrom("one", "two", "three"),
  body: fc.constantFrom("a", "b"),
  /** How far it gets before the next step: some are answered, some are overtaken. */
  turns: fc.nat(6),
});
const step = fc.oneof(
  { weight: 8, arbitrary: call },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const), how: fc.constantFrom("before", "after") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rest" as const) }) },
);

/** What a caller heard: the id that was promised, or a refusal. Who heard nothing is not in here. */
type Heard = { readonly key: string; readonly body: string; readonly status: number; readonly id: RequestId | null };

test("however calls with a key overlap, fail and are repeated, it is one message and one answer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      let failing: "before" | "after" | null = null;
      const fault = (when: "before" | "after") => () => {
        if (failing !== when) return;
        failing = null;
        throw new StoreFault("store.full", "no room");
      };
      const world = await World.start({ faults: { before: fault("before"), after: fault("after") } });
      const heard: Heard[] = [];
      for (const each of steps) {
        if (each.do === "die") await world.restart();
        else if (each.do === "fail") failing = each.how === "before" ? "before" : "after";
        else if (each.do === "rest") await world.quiet();
        else {
          ask(world, heard, each.key, each.body);
          await world.quiet(each.turns);
        }
      }
      failing = null;
      await world.pass(10_000);
      await world.restart();
      await world.pass(10_000);
      // Who heard nothing calls again, with both bodies: one of them was meant by whoever was first.
      for (const key of ["one", "two", "three"]) {
        for (const body of ["a", "b"]) ask(world, heard, key, body);
        await world.pass(1_000);
      }
      await world.pass(10_000);
      for (const key of ["one", "two", "three"]) {
        const own = heard.filter((one) => one.key === key);
        const good = own.filter(({ status }) => status === 202);
        assert.equal(new Set(good.map(({ id }) => id)).size, 1, `${key}: one answer`);
        assert.equal(new Set(good.map(({ body }) => body)).size, 1, `${key}: one body was taken`);
        assert.ok(
          own.some(({ status }) => status === 422),
          `${key}: the other was refused`,
        );
        const mails = world.provider.seen.filter(
          ({ content }) => content.channel === "email" && content.subject === key,
        );
        assert.deepEqual(new Set(mails.map(({ messageId }) => messageId)), new Set(good.map(({ id }) => id)));
        const { messages } = await world.store.listMessages({ event: key }, { after: null, limit: 10 });
        assert.deepEqual(
          messages.map(({ requestId }) => requestId),
          [good[0]?.id],
        );
      }
    }),
    { numRuns: 80 },
  );
});

/** Calls as the door does, and writes down what was heard; a fault of the store, or a death, is silence. */
function ask(world: World, heard: Heard[], key: string, body: string): void {
  const once = { key, fingerprint: body, expiresMs: Number.MAX_SAFE_INTEGER };
  const message = { to: { email: "ada@example.com" }, content: { title: key, body }, metadata: { event: key } };
  const { accept } = world.pipeline;
  accept
    .accept({ text: JSON.stringify({ message }), message, traceparent: null, share: "test", once })
    .then((accepted) => {
      if (accepted.kind === "accepted") heard.push({ key, body, status: 202, id: accepted.requestId });
      if (accepted.kind !== "repeated") return;
      const { status, body: text } = replay(once, accepted.record);
      const said = JSON.parse(text ?? "{}") as { readonly requestId?: RequestId };
      heard.push({ key, body, status, id: said.requestId ?? null });
    })
    .catch((error: unknown) => {
      if (!(error instanceof StoreFault)) throw error;
    });
}

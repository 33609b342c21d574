import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutNulls } from "#doors/http/without-nulls.ts";

test("null means left out where the SDK's types allow it, and stays null where it is data", () => {
  assert.deepEqual(
    withoutNulls({
      to: [
        { email: "a@b.c", user_id: null, data: { x: null } },
        { list_id: "l", preferences: null },
      ],
      template: null,
      content: {
        title: null,
        body: "b",
        elements: [{ type: "text", if: null, elements: [{ type: "string", ref: null }] }, null],
      },
      data: { a: null, b: [null] },
      channels: {
        email: { providers: null, override: { subject: null }, timeouts: { channel: null, provider: 5 } },
        sms: null,
      },
      metadata: { tags: null, event: "e" },
      sparkle: { kept: null },
    }),
    {
      to: [{ email: "a@b.c", data: { x: null } }, { list_id: "l" }],
      content: { body: "b", elements: [{ type: "text", elements: [{ type: "string" }] }, null] },
      data: { a: null, b: [null] },
      channels: { email: { override: { subject: null }, timeouts: { provider: 5 } } },
      metadata: { event: "e" },
      sparkle: { kept: null },
    },
  );
});

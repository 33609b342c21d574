import assert from "node:assert/strict";
import { test } from "node:test";
import { routingProblem } from "#domain/routing.ts";

test("a routing may hold routings, and each of them must be one", () => {
  const nested = { method: "single", channels: ["email", { method: "all", channels: ["sms", "push"] }] };
  assert.equal(routingProblem(nested), null);
  for (const wrong of [null, 1, [], {}, { channels: ["sms"] }, { method: "both", channels: [] }, { method: "all" }]) {
    assert.match(routingProblem({ method: "single", channels: ["email", wrong] }) ?? "", /an entry of routing is/);
  }
});

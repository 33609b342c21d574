import assert from "node:assert/strict";
import { test } from "node:test";
import { traceHeaderOf, traceparentOf } from "#doors/aws/trace-header.ts";

test("X-Ray's header and a traceparent say the same, there and back", () => {
  for (const flags of ["00", "01"]) {
    const traceparent = `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;
    assert.equal(traceparentOf(traceHeaderOf(traceparent)), traceparent);
  }
  assert.equal(
    traceHeaderOf("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1",
  );
});

test("a header without a parent, or that is none, names no span", () => {
  for (const header of ["", "x", "Root=1-0af76519-16cd43dd8448eb211c80319c", "Parent=b7ad6b7169203331"]) {
    assert.equal(traceparentOf(header), null, header);
  }
});

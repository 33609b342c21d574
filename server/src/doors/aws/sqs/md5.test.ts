import assert from "node:assert/strict";
import { test } from "node:test";
import { md5OfAttributes, md5OfText } from "#doors/aws/sqs/md5.ts";

test("the test values of the reference", () => {
  assert.equal(md5OfText("hello world"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
  assert.equal(md5OfAttributes([["city", { type: "String", value: "Oslo" }]]), "cbcd83b13b0b49717b14e6ca985fc6b7");
  const three = [
    ["n", { type: "Number.int", value: "7" }],
    ["city", { type: "String", value: "Zürich" }],
    ["b", { type: "Binary", value: Buffer.from([0x00, 0xff]).toString("base64") }],
  ] as const;
  assert.equal(md5OfAttributes(three), "45791c4e1cc7fec86d9075719a9d1a50");
});

test("what has no attributes has no digest of them", () => {
  assert.equal(md5OfAttributes([]), undefined);
});

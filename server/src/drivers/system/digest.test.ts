import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256Hex } from "#drivers/system/digest.ts";

test("the digest is that of FIPS 180-2, also of a part of a larger buffer", async () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(await sha256Hex(Buffer.from("abc")), abc);
  assert.equal(await sha256Hex(Buffer.from("xabcx").subarray(1, 4)), abc);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemSecrets } from "#drivers/system/secrets.ts";

const secrets = systemSecrets(new Uint8Array(32).fill(1));
const others = systemSecrets(new Uint8Array(32).fill(2));

test("a digest is SHA-256 in base64url", () => {
  // FIPS 180-2, appendix B.1
  assert.equal(
    secrets.digest("abc"),
    Buffer.from("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "hex").toString("base64url"),
  );
  assert.equal(secrets.digest("").length, 43);
});

test("what was sealed is unsealed by the same key alone, and fits into a URL", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom("", "Zoë/列表", "a.b.c", "😀")), (text) => {
      const token = secrets.seal(text);
      assert.match(token, /^[\w-]*\.[\w-]{22}$/);
      assert.equal(secrets.unseal(token), text);
      assert.equal(others.unseal(token), null);
    }),
  );
});

test("a token that was changed anywhere is not ours", () => {
  const token = secrets.seal("list/ada");
  for (let at = 0; at < token.length; at += 1) {
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    assert.equal(secrets.unseal(changed), null, changed);
  }
  for (const nonsense of ["", ".", "x", "..", token.slice(0, -5), `${token}AAAA`])
    assert.equal(secrets.unseal(nonsense), null, nonsense);
});

test("a short master key is a bug", () => {
  assert.throws(() => systemSecrets(new Uint8Array(31)), /master key/);
});

test("a derived secret is the same for the same text and house, and another for any other", () => {
  const [house, other] = [systemSecrets(new Uint8Array(32).fill(1)), systemSecrets(new Uint8Array(32).fill(2))];
  assert.match(house.derive("a"), /^[A-Za-z0-9+/]{43}=$/);
  assert.equal(house.derive("a"), systemSecrets(new Uint8Array(32).fill(1)).derive("a"));
  assert.equal(new Set([house.derive("a"), house.derive("b"), other.derive("a")]).size, 3);
});

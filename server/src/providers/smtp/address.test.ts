import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMailbox } from "./address.ts";

function address(text: string): string | null {
  const mailbox = parseMailbox(text);
  return typeof mailbox === "string" ? null : mailbox.address;
}

test("an address is read bare, with a name, and with a quoted name", () => {
  assert.deepEqual(parseMailbox("ada@example.org"), {
    name: "",
    address: "ada@example.org",
    domain: "example.org",
    utf8: false,
  });
  assert.deepEqual(parseMailbox(' "Lovelace, \\"Ada\\"" <ada@example.org> '), {
    name: 'Lovelace, "Ada"',
    address: "ada@example.org",
    domain: "example.org",
    utf8: false,
  });
  assert.equal(address("Lovelace, Ada <ada+x@example.org>"), "ada+x@example.org");
  assert.equal(address('"with space"@example.org'), '"with space"@example.org');
  assert.equal(address("root@localhost"), "root@localhost");
  assert.equal(address("x@[127.0.0.1]"), "x@[127.0.0.1]");
});

test("a domain that is not ASCII becomes A-labels, a local part stays and asks for SMTPUTF8", () => {
  assert.equal(address("info@bücher.example"), "info@xn--bcher-kva.example");
  const mailbox = parseMailbox("用户@例え.jp");
  assert.ok(typeof mailbox !== "string");
  assert.equal(mailbox.address, "用户@xn--r8jz45g.jp");
  assert.equal(mailbox.utf8, true);
});

test("what is not one address is refused with a reason", () => {
  const wrong = [
    "",
    "ada",
    "@example.org",
    "ada@",
    "a da@example.org",
    "ada@exa mple.org",
    "ada@-example.org",
    "ada@example..org",
    ".ada@example.org",
    "ada@example.org, bob@example.org",
    "a <b@c.org> <d@e.org>",
    "ada@example.org>",
    `${"a".repeat(65)}@example.org`,
    `a@${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(60)}.${"f".repeat(20)}.org`,
    "ada@example.org\r\nBcc: eve@example.org",
    "ada\0@example.org",
    "ada@example.org SIZE=1",
    "ada@1.2.3.4",
    "\ud800@example.org",
  ];
  for (const text of wrong) assert.equal(typeof parseMailbox(text), "string", JSON.stringify(text));
});

test("whatever is read as an address can stand between angle brackets of an SMTP command", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("@", "<", ">", '"', "\r\n", "\\", " ", "a", "example.org"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const mailbox = parseMailbox(pieces.join(""));
      if (typeof mailbox === "string") return;
      assert.doesNotMatch(mailbox.address, /[\u0000-\u001f\u007f]/);
      assert.doesNotMatch(mailbox.name, /[\u0000-\u001f\u007f]/);
      if (!mailbox.address.startsWith('"')) assert.doesNotMatch(mailbox.address, /[<> ]/);
      assert.ok(Buffer.byteLength(mailbox.address) <= 254);
    }),
    { numRuns: 2_000 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { bareAddress, mailAddressProblem, phoneNumberProblem } from "#directory/address.ts";

test("addresses that people have are taken", () => {
  const fine = [
    "ada@example.com",
    "ada.l+tag@mail.example.co.uk",
    "ada@localhost",
    "ümlaut@exämple.com",
    '"ada lovelace"@example.com',
    "Ada <ada@example.com>",
    '"Lovelace, Ada" <ada@example.com>',
    " ada@example.com ",
    "ada@[192.0.2.1]",
  ];
  for (const text of fine) assert.equal(mailAddressProblem(text), null, text);
});

test("what could end a header early, name several people, or reach nobody is not", () => {
  const bad = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "ada@example.com\r\nBcc: eve@example.com",
    "ada@example.com\n",
    "a\u0000@example.com",
    "a@example.com,b@example.com",
    "a@example.com b@example.com",
    "a@b@c",
    "Ada <ada@example.com",
    "<>",
    "a\u2028@example.com",
    `${"x".repeat(250)}@example.com`,
    "Ada\r\n <ada@example.com>",
    "\ud800@example.com",
  ];
  for (const text of bad) assert.notEqual(mailAddressProblem(text), null, JSON.stringify(text));
});

test("the name before an address does not count", () => {
  assert.equal(bareAddress('"Ada <x>" <ada@example.com>'), "ada@example.com");
  assert.equal(bareAddress(" ada@example.com "), "ada@example.com");
});

test("a telephone number has digits and no line breaks", () => {
  for (const text of ["+49 (30) 123-45", "112", "+15555550100 ext. 7"])
    assert.equal(phoneNumberProblem(text), null, text);
  for (const text of ["", "call me", "+49\r\n30", "1".repeat(65)])
    assert.notEqual(phoneNumberProblem(text), null, text);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPublicAddress } from "#providers/webhook/public-address.ts";

const dotted = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join(".");
const number = (address: string): number => address.split(".").reduce((n, part) => n * 256 + Number(part), 0);

/** Ranges that must never be reached, first and last address, written down a second time and in another form. */
const INSIDE = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255"],
  ["127.0.0.0", "127.255.255.255"],
  ["169.254.0.0", "169.254.255.255"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.0.0.0", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255"],
  ["192.88.99.0", "192.88.99.255"],
  ["192.168.0.0", "192.168.255.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["198.51.100.0", "198.51.100.255"],
  ["203.0.113.0", "203.0.113.255"],
  ["224.0.0.0", "255.255.255.255"],
].map(([first = "", last = ""]) => [number(first), number(last)] as const);

const isInside = (n: number): boolean => INSIDE.some(([first, last]) => n >= first && n <= last);
const insideV4 = fc.oneof(...INSIDE.map(([min, max]) => fc.integer({ min, max })));
const anyV4 = fc.integer({ min: 0, max: 0xffffffff });
const words = (n: number): string => `${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`;

/** Everything that a URL may write for one IPv4 address; the URL parser makes one form of them. */
const NOTATIONS: readonly ((n: number) => string)[] = [
  dotted,
  (n) => String(n),
  (n) => `0x${n.toString(16)}`,
  (n) => `0${n.toString(8)}`,
  (n) =>
    dotted(n)
      .split(".")
      .map((part) => `0x${Number(part).toString(16)}`)
      .join("."),
  (n) =>
    dotted(n)
      .split(".")
      .map((part) => `0${Number(part).toString(8)}`)
      .join("."),
  (n) => `${n >>> 24}.${n & 0xffffff}`,
  (n) => `${n >>> 24}.${(n >>> 16) & 255}.${n & 0xffff}`,
  (n) => dotted(n).replaceAll(".", "。"),
  (n) => `[::ffff:${dotted(n)}]`,
  (n) => `[::ffff:${words(n)}]`,
  (n) => `[0:0:0:0:0:FFFF:${words(n)}]`,
  (n) => `[64:ff9b::${words(n)}]`,
];

const hostOf = (written: string): string => new URL(`http://${written}/`).hostname.replace(/^\[|\]$/g, "");

test("no private IPv4 address gets through, however it is written", () => {
  fc.assert(
    fc.property(insideV4, fc.constantFrom(...NOTATIONS), (n, write) => {
      assert.equal(isPublicAddress(hostOf(write(n))), false, write(n));
    }),
    { numRuns: 2_000 },
  );
});

test("every public IPv4 address gets through, and the edges of each range are right", () => {
  const edges = INSIDE.flatMap(([first, last]) => [first - 1, first, last, last + 1]).filter(
    (n) => n >= 0 && n <= 0xffffffff,
  );
  for (const n of edges) assert.equal(isPublicAddress(dotted(n)), !isInside(n), dotted(n));
  fc.assert(
    fc.property(anyV4, fc.constantFrom(...NOTATIONS), (n, write) => {
      assert.equal(isPublicAddress(hostOf(write(n))), !isInside(n), write(n));
    }),
    { numRuns: 2_000 },
  );
});

test("tunnels to a private IPv4 address are private", () => {
  fc.assert(
    fc.property(insideV4, (n) => {
      for (const address of [
        `2002:${words(n)}::1`,
        `::${words(n)}`,
        `2001:0:${words(n)}::`,
        `64:ff9b:1::${words(n)}`,
      ]) {
        assert.equal(isPublicAddress(address), false, address);
      }
    }),
  );
});

test("IPv6 is public only where it is routed publicly", () => {
  const word = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
  const tail = fc.array(word, { minLength: 7, maxLength: 7 }).map((parts) => parts.join(":"));
  const unrouted = fc.oneof(fc.integer({ min: 0x65, max: 0x1fff }), fc.integer({ min: 0x4000, max: 0xffff }));
  fc.assert(
    fc.property(unrouted, tail, (head, rest) => {
      assert.equal(isPublicAddress(`${head.toString(16)}:${rest}`), false);
    }),
  );
  const inside = [
    "::",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "fd00:ec2::254",
  ];
  for (const address of inside) assert.equal(isPublicAddress(address), false, address);
  for (const address of ["2606:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"]) {
    assert.equal(isPublicAddress(address), true, address);
  }
});

test("what is no address is not public", () => {
  for (const text of ["", "localhost", "example.com", "127.1", "1.2.3.4.5", "[::1]"])
    assert.equal(isPublicAddress(text), false);
});

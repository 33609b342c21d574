import fc, { type Arbitrary } from "fast-check";
import { isJsonObject, type Json } from "#domain/json.ts";

/** Text that stands where other text should. */
export const hostileText: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\u0000",
    "a\u0000b",
    "\r\nBcc: b@example.com",
    "a\nb",
    "\ud800",
    "\udc00x",
    "\u202eabc",
    "\ufeff",
    "__proto__",
    "constructor",
    "toString",
    "../../etc/passwd",
    "..\\..\\x",
    "'; DROP TABLE messages; --",
    "%00",
    "%s%n",
    "${7*7}",
    "{{constructor.constructor 'x'}}",
    "{{#each a}}",
    "{{{{{{",
    "((((",
    "a@b@c",
    "<script>alert(1)</script>",
    "null",
    "NaN",
    "-0",
    "1e999",
    "2999-01-01",
    "x".repeat(300),
    "x".repeat(5_000),
    "ß".repeat(33_000),
    "💥".repeat(200),
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
);

/** Anything that JSON can say, the odd things first. */
export const hostileJson: Arbitrary<Json> = fc.oneof(
  hostileText,
  fc.constantFrom<Json>(
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e308,
    -1e308,
    Number.MAX_SAFE_INTEGER + 1,
    2_147_483_648,
    [],
    [[]],
    [null],
    [1, "a", {}],
    {},
    { "": "" },
    { constructor: 1 },
    { toString: null },
    { length: 1e9 },
    { $blob: "1-65f240a0-47a6a120c8374de9bcf9f22a-f0" },
    { type: "list", elements: [{}] },
    { method: "single" },
  ),
  fc.nat(60).map((depth) => nested(depth)),
  fc.constant(Array.from({ length: 2_000 }, () => "x")),
);

function nested(depth: number): Json {
  let value: Json = 1;
  for (let at = 0; at < depth; at += 1) value = at % 2 === 0 ? [value] : { a: value };
  return value;
}

/** A copy in which one thing, somewhere, is replaced, taken away, doubled or joined by something hostile. */
export function bent(value: Json): Arbitrary<Json> {
  const places = placesIn(value, []);
  return fc
    .tuple(fc.constantFrom(...places), fc.constantFrom("replace", "remove", "add", "rename"), hostileJson, hostileText)
    .map(([place, how, other, name]) => change(value, place, how, other, name));
}

type Place = readonly (string | number)[];
type How = "replace" | "remove" | "add" | "rename";

function placesIn(value: Json, at: Place): Place[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...at, name]))];
}

function change(value: Json, [first, ...rest]: Place, how: How, other: Json, name: string): Json {
  if (first === undefined) {
    if (how === "add" && isJsonObject(value)) return { ...value, [name]: other };
    if (how === "add" && Array.isArray(value)) return [...(value as readonly Json[]), other];
    return other;
  }
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    if (rest.length === 0 && how === "remove") return items.filter((_, at) => at !== Number(first));
    return items.map((one, at) => (at === Number(first) ? change(one, rest, how, other, name) : one));
  }
  if (!isJsonObject(value)) return other;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
      if (key !== first) return [[key, inner]];
      if (rest.length > 0) return [[key, change(inner, rest, how, other, name)]];
      if (how === "remove") return [];
      return how === "rename" ? [[name, inner]] : [[key, change(inner, rest, how, other, name)]];
    }),
  );
}

/** JSON text that is no longer, or never was, what it should be. */
export function bentText(text: string): Arbitrary<Uint8Array> {
  const bytes = Buffer.from(text);
  const whole = (other: string): Arbitrary<Uint8Array> => fc.constant(Buffer.from(other));
  return fc.oneof(
    fc.nat(bytes.length).map((at) => bytes.subarray(0, at)),
    fc.tuple(fc.nat(Math.max(0, bytes.length - 1)), fc.nat(255)).map(([at, byte]) => bytes.with(at, byte)),
    whole(`${text} x`),
    whole(`\ufeff${text}`),
    whole(text.replace("{", '{"__proto__":{"admin":true},')),
    whole(text.replace("{", '{"constructor":{"prototype":{"admin":true}},')),
    whole(text.replaceAll(/"(\w+)":/g, '"$1":1,"$1":')),
    whole("[".repeat(100_000)),
    whole(text.replaceAll(/\d+/g, "1e999")),
    whole(text.replace(/"[^"]*"/, '"\\ud800"')),
    fc.constant(Buffer.from(text, "utf16le")),
    fc.uint8Array({ maxLength: 50 }),
    whole("null"),
    whole("[]"),
    whole('"text"'),
  );
}

/** A path's segment as it stands on the line: encoded, or what no encoder would write. */
export const hostileSegment: Arbitrary<string> = fc.oneof(
  hostileText
    .filter((text) => text !== "" && text.length < 3_000)
    .map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom(
    "%",
    "%4",
    "%zz",
    "%ff%fe",
    "%c0%ae",
    "%00",
    "%2e%2e",
    "%2f",
    "%252f",
    "%ed%a0%80",
    "a".repeat(4_097),
    "~",
    "*",
    ";a=b",
    "@",
    "...",
  ),
);

/** A header's value that a client can send at all. */
export const hostileHeader: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "a, b",
    "k".repeat(256),
    "k".repeat(257),
    "\u00e9\u00ff",
    '"quoted"',
    "00-zz",
    "-1",
    "9".repeat(40),
    "yesterday",
    "1; drop",
  ),
  fc.string({ unit: "grapheme-ascii", maxLength: 60 }).map((text) => text.trim()),
);

import type { Shape, Structure } from "#doors/aws/shape.ts";
import { invariant } from "#domain/invariant.ts";

/** Compiles what writes a structure as XML: lists and maps flattened, that is as repeated elements without a wrapper. */
export function xmlWriter(shape: Structure): (value: object) => string {
  const write = contentOf(shape);
  return (value) => write(value);
}

/** Text in an element. A raw carriage return would reach the reader as a line feed (XML 1.0 §2.11). */
export function xmlText(value: string): string {
  return SPECIAL.test(value) ? value.replace(EACH_SPECIAL, (char) => ESCAPES[char] ?? "") : value;
}

const SPECIAL = /[&<>\r]/;
const EACH_SPECIAL = /[&<>\r]/g;
const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;" };

type Write = (value: unknown) => string;

/** What stands between the tags of a value. */
function contentOf(shape: Shape): Write {
  if (shape.kind !== "structure") return (value) => xmlText(String(value));
  const members = Object.entries(shape.members).map(([name, inner]) => ({ name, write: elementsOf(name, inner) }));
  return (value) => {
    invariant(isObject(value), "an answer is of its action's shape");
    let xml = "";
    for (const { name, write } of members) {
      const inner = value[name];
      if (inner !== undefined) xml += write(inner);
    }
    return xml;
  };
}

/** The elements of a member with its tags: one, or one for each item. */
function elementsOf(name: string, shape: Shape): Write {
  switch (shape.kind) {
    case "list": {
      const write = elementOf(shape.form, contentOf(shape.of));
      return (value) => {
        invariant(Array.isArray(value), "a list is answered with an array");
        let xml = "";
        for (const item of value) xml += write(item);
        return xml;
      };
    }
    case "map": {
      const key = elementOf(shape.key, contentOf({ kind: "string" }));
      const item = elementOf(shape.item, contentOf(shape.of));
      const entry = elementOf(shape.form, String);
      return (value) => {
        invariant(isObject(value), "a map is answered with an object");
        let xml = "";
        for (const [name, inner] of Object.entries(value)) xml += entry(key(name) + item(inner));
        return xml;
      };
    }
    default:
      return elementOf(name, contentOf(shape));
  }
}

function elementOf(name: string, content: Write): Write {
  const [open, close] = [`<${name}>`, `</${name}>`];
  return (value) => open + content(value) + close;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

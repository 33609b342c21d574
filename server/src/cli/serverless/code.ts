import type { Json } from "#domain/json.ts";

const COLUMNS_MAX = 100;
const NAME = /^[A-Za-z_$][\w$]*$/;

/** JSON as a TypeScript literal: on one line where it fits. @param indent of the line that it stands in. */
export function literal(json: Json, indent = 0): string {
  const short = shortly(json);
  if (short.length + indent <= COLUMNS_MAX || typeof json !== "object" || json === null) return short;
  const pad = " ".repeat(indent + 2);
  const isList = Array.isArray(json);
  const parts = isList
    ? json.map((one: Json) => literal(one, indent + 2))
    : Object.entries(json).map(([name, value]) => `${propertyName(name)}: ${literal(value, indent + 2)}`);
  const [open, close] = isList ? "[]" : "{}";
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}`;
}

/** Words for a comment: on one line, and without its end. */
export function comment(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]+/g, " ").replaceAll("*/", "* /");
}

function shortly(json: Json): string {
  if (Array.isArray(json)) return `[${json.map((one: Json) => shortly(one)).join(", ")}]`;
  if (typeof json !== "object" || json === null) return JSON.stringify(json);
  const entries = Object.entries(json).map(([name, value]) => `${propertyName(name)}: ${shortly(value)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** A name as a property of a literal, or of a type. */
export function propertyName(name: string): string {
  // As a property of a literal, this one would be the prototype.
  if (name === "__proto__") return '["__proto__"]';
  return NAME.test(name) ? name : JSON.stringify(name);
}

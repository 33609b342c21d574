import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { SchemaVersion } from "#schemas/schema.ts";
import { resolveRef } from "#schemas/walk.ts";

/**
 * TypeScript declarations of event types: one type for the data of each, `EventTypes` by event type, and `EventOf`.
 *
 * A type says what TypeScript can say of a schema, never more: every value that fits the schema fits the type.
 */
export function writeTypes(schemas: readonly SchemaVersion[]): string {
  const names = new Names();
  const byType = new Map<string, string[]>();
  const blocks: string[] = [];
  for (const { type, source, version, text } of schemas) {
    const name = names.of(source === null ? type : `${type} from ${source}`);
    byType.set(type, [...(byType.get(type) ?? []), name]);
    // What is kept was read before.
    const schema = JSON.parse(text) as Json;
    const from = source === null ? "" : ` from ${source}`;
    blocks.push(...new Writer(schema, name, names).declarations(`${type}${from}, version ${version}`));
  }
  const members = [...byType].map(([type, all]) => `  readonly ${JSON.stringify(type)}: ${all.join(" | ")};`);
  return [
    HEAD,
    ...blocks,
    `export interface EventTypes {\n${members.join("\n")}${members.length === 0 ? "" : "\n"}}`,
    TAIL,
  ].join("\n\n");
}

const HEAD = "// Written by `tidings schemas types`. What is changed here is lost at the next time.";
const TAIL = `/** An event as CloudEvents has it, with the data of its type. */
export type EventOf<Type extends keyof EventTypes> = {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: Type;
  readonly subject?: string;
  readonly time?: string;
  readonly data: EventTypes[Type];
};
`;

class Names {
  readonly #used = new Set(["EventTypes", "EventOf"]);

  /** `order.placed` → `OrderPlaced`, `OrderPlaced2` where that is taken. */
  of(text: string): string {
    const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
    const joined = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
    const name = /^\p{L}/u.test(joined) ? joined : `Event${joined}`;
    for (let at = 1; ; at += 1) {
      const one = at === 1 ? name : `${name}${at}`;
      if (this.#used.has(one)) continue;
      this.#used.add(one);
      return one;
    }
  }
}

class Writer {
  readonly #root: Json;
  readonly #name: string;
  readonly #names: Names;
  /** What is referred to gets a name of its own, so that it may contain itself. */
  readonly #referred = new Map<Json, string>();
  readonly #blocks: string[] = [];

  constructor(root: Json, name: string, names: Names) {
    this.#root = root;
    this.#name = name;
    this.#names = names;
    this.#referred.set(root, name);
  }

  declarations(note: string): readonly string[] {
    const described = isJsonObject(this.#root) ? this.#root["description"] : undefined;
    const lines = [note, ...(typeof described === "string" ? [described] : [])];
    const body = this.#type(this.#root, 0);
    return [`${comment(lines, "")}export type ${this.#name} = ${body};`, ...this.#blocks];
  }

  #type(schema: Json, depth: number): string {
    if (!isJsonObject(schema)) return schema === false ? "never" : "unknown";
    const parts: string[] = [];
    const ref = schema["$ref"];
    if (typeof ref === "string") parts.push(this.#refer(ref));
    const own = this.#own(schema, depth);
    if (own !== null) parts.push(own);
    for (const keyword of ["anyOf", "oneOf"]) {
      const list = schema[keyword];
      if (Array.isArray(list)) parts.push(union(list.map((one) => this.#type(one, depth))));
    }
    const { allOf } = schema;
    if (Array.isArray(allOf)) parts.push(...allOf.map((one) => this.#type(one, depth)));
    const said = [...new Set(parts)].filter((part) => part !== "unknown");
    return said.length === 0 ? "unknown" : said.map((part) => (said.length > 1 ? grouped(part) : part)).join(" & ");
  }

  #refer(ref: string): string {
    const target = resolveRef(this.#root, ref);
    if (target === undefined || typeof target === "boolean") return this.#type(target ?? true, 0);
    const known = this.#referred.get(target);
    if (known !== undefined) return known;
    const name = this.#names.of(`${this.#name} ${ref.split("/").at(-1) ?? "part"}`);
    this.#referred.set(target, name);
    const at = this.#blocks.push("") - 1;
    this.#blocks[at] = `export type ${name} = ${this.#type(target, 0)};`;
    return name;
  }

  /** What the schema says by itself; null: nothing of the type. */
  #own(schema: JsonObject, depth: number): string | null {
    if (schema["const"] !== undefined) return literal(schema["const"]);
    if (Array.isArray(schema["enum"])) return union(schema["enum"].map(literal));
    const { type } = schema;
    if (type !== undefined) return union([type].flat().map((one) => this.#typed(String(one), schema, depth)));
    // Without a type a schema of objects lets everything else pass.
    return null;
  }

  #typed(type: string, schema: JsonObject, depth: number): string {
    switch (type) {
      case "string":
      case "boolean":
      case "null":
        return type;
      case "number":
      case "integer":
        return "number";
      case "array":
        return this.#array(schema, depth);
      case "object":
        return this.#object(schema, depth);
      default:
        return "unknown";
    }
  }

  #array(schema: JsonObject, depth: number): string {
    const { prefixItems, items = true } = schema;
    const entry = this.#type(items, depth);
    if (!Array.isArray(prefixItems)) return `readonly ${grouped(entry)}[]`;
    // A list may end before its first entries do.
    const least = Number(schema["minItems"] ?? 0);
    const first = prefixItems.map((one, at) => `${grouped(this.#type(one, depth))}${at < least ? "" : "?"}`);
    const rest = items === false ? [] : [`...${grouped(entry)}[]`];
    return `readonly [${[...first, ...rest].join(", ")}]`;
  }

  #object(schema: JsonObject, depth: number): string {
    const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
    const required = new Set(Array.isArray(schema["required"]) ? schema["required"].map(String) : []);
    const inner = "  ".repeat(depth + 1);
    const lines = Object.entries(properties).map(([name, property]) => {
      const mark = required.has(name) ? "" : "?";
      const note = isJsonObject(property) ? property["description"] : undefined;
      const said = typeof note === "string" ? comment([note], inner) : "";
      return `${said}${inner}readonly ${key(name)}${mark}: ${this.#type(property, depth + 1)};`;
    });
    for (const name of required) {
      if (!Object.hasOwn(properties, name)) lines.push(`${inner}readonly ${key(name)}: unknown;`);
    }
    const others = schema["additionalProperties"] ?? true;
    const isOpen = others !== false || schema["patternProperties"] !== undefined;
    if (isOpen) {
      // An index must fit the named members too.
      const alone = lines.length === 0 && schema["patternProperties"] === undefined;
      lines.push(`${inner}readonly [name: string]: ${alone ? this.#type(others, depth + 1) : "unknown"};`);
    }
    return lines.length === 0 ? "Readonly<Record<string, never>>" : `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
  }
}

function literal(value: Json): string {
  if (Array.isArray(value)) return `readonly [${value.map(literal).join(", ")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, one]) => `readonly ${key(name)}: ${literal(one)}`);
  return members.length === 0 ? "Readonly<Record<string, never>>" : `{ ${members.join("; ")} }`;
}

function union(types: readonly string[]): string {
  const all = [...new Set(types)];
  if (all.includes("unknown")) return "unknown";
  const some = all.filter((type) => type !== "never");
  return some.length === 0 ? "never" : some.length === 1 ? (some[0] ?? "never") : some.map(grouped).join(" | ");
}

/** In brackets where something that binds more strongly follows. */
function grouped(type: string): string {
  return /[|&]|^readonly /.test(type) ? `(${type})` : type;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** Longest piece of somebody's description that is repeated. */
const NOTE_CHARS_MAX = 300;

function comment(lines: readonly string[], indent: string): string {
  const said = lines.map((line) => line.replaceAll(/\s+/g, " ").replaceAll("*/", "*\\/").slice(0, NOTE_CHARS_MAX));
  return `${indent}/** ${said.join(". ")} */\n`;
}

/** Writes what the client knows of the API, in TypeScript: the types of all operations of the groups that it has. */

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** What Courier's own clients have not. */
const TAGS = new Set(["events", "rules", "queues", "documents", "blobs", "webhooks", "functions", "schemas"]);
const COLUMNS = "// Written by scripts/client.ts from /openapi.json; a test compares them. Do not edit.";

/** @param openApi an OpenAPI 3.1 document. */
export function writeClient(openApi: JsonObject): string {
  const used = new Set<string>();
  const operations: string[] = [];
  const idempotent: string[] = [];
  for (const [path, methods] of Object.entries(object(openApi["paths"]))) {
    for (const [method, operation] of Object.entries(object(methods))) {
      const one = object(operation);
      if (!list(one["tags"]).some((tag) => TAGS.has(String(tag)))) continue;
      const name = `${method.toUpperCase()} ${path}`;
      const parameters = list(one["parameters"]).map(object);
      if (parameters.some((parameter) => parameter["name"] === "Idempotency-Key")) idempotent.push(name);
      operations.push(operationText(name, one, parameters, used));
    }
  }
  const schemas = object(object(openApi["components"])["schemas"]);
  const types: string[] = [];
  const written = new Set<string>();
  for (let left = [...used]; left.length > 0; left = [...used].filter((name) => !written.has(name))) {
    for (const name of left) {
      written.add(name);
      types.push(
        `${docOf(object(schemas[name]), "")}export type ${name} = ${typeText(schemas[name] ?? {}, used, "")};`,
      );
    }
  }
  return [
    COLUMNS,
    ...types.toSorted((one, other) => (nameIn(one) < nameIn(other) ? -1 : 1)),
    `/** By method and path: what is given, and what is answered. */\nexport type Operations = {\n${operations.join("\n")}\n};`,
    `/** Operations that may be repeated under an Idempotency-Key. */\nexport const IDEMPOTENT: ReadonlySet<string> = new Set(${JSON.stringify(idempotent, null, 2)});`,
    "",
  ].join("\n\n");
}

function operationText(name: string, one: JsonObject, parameters: readonly JsonObject[], used: Set<string>): string {
  const of = (place: string): string => {
    const fields = parameters
      .filter((parameter) => parameter["in"] === place && parameter["name"] !== "Idempotency-Key")
      .map((parameter) => {
        const mark = parameter["required"] === true ? "" : "?";
        return `readonly ${key(String(parameter["name"]))}${mark}: ${typeText(parameter["schema"] ?? {}, used, "    ")}`;
      });
    return fields.length === 0 ? "{}" : `{ ${fields.join("; ")} }`;
  };
  const body = one["requestBody"];
  const answers = Object.entries(object(one["responses"])).filter(([status]) => /^2\d\d$/.test(status));
  const answer = [...new Set(answers.map(([, response]) => contentText(response, used, "undefined")))].join(" | ");
  const says = typeof one["summary"] === "string" ? `  /** ${one["summary"]}. */\n` : "";
  const given = body === undefined ? "undefined" : contentText(body, used, "undefined");
  return `${says}  readonly ${JSON.stringify(name)}: {
    readonly params: ${of("path")};
    readonly query: ${of("query")};
    readonly body: ${given};
    readonly answer: ${answer === "" ? "undefined" : answer};
  };`;
}

/** JSON is typed; everything else is bytes, as a `Response` has them. */
function contentText(holder: Json, used: Set<string>, absent: string): string {
  const content = object(object(holder)["content"]);
  const types = Object.keys(content);
  if (types.length === 0) return absent;
  const json = types.find((type) => /^application\/(?:[\w.+-]+\+)?json$/.test(type));
  const schema = json === undefined ? undefined : object(content[json])["schema"];
  if (schema !== undefined) return typeText(schema, used, "    ");
  return json === undefined ? "Uint8Array | string" : "unknown";
}

function typeText(given: Json, used: Set<string>, indent: string): string {
  const schema = object(given);
  const ref = schema["$ref"];
  if (typeof ref === "string") {
    const name = ref.split("/").at(-1) ?? "";
    used.add(name);
    return name;
  }
  if (schema["const"] !== undefined) return JSON.stringify(schema["const"]);
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (choices !== undefined)
    return list(choices)
      .map((one) => bracketed(typeText(one, used, indent)))
      .join(" | ");
  if (schema["allOf"] !== undefined)
    return list(schema["allOf"])
      .map((one) => bracketed(typeText(one, used, indent)))
      .join(" & ");
  if (schema["enum"] !== undefined)
    return list(schema["enum"])
      .map((one) => JSON.stringify(one))
      .join(" | ");
  const type = schema["type"];
  if (Array.isArray(type)) return type.map((one) => typeText({ ...schema, type: one }, used, indent)).join(" | ");
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return `readonly ${bracketed(typeText(schema["items"] ?? {}, used, indent))}[]`;
    case "object":
      return objectText(schema, used, indent);
    default:
      return "unknown";
  }
}

function objectText(schema: JsonObject, used: Set<string>, indent: string): string {
  const properties = Object.entries(object(schema["properties"]));
  const inner = `${indent}  `;
  const required = new Set(list(schema["required"]).map(String));
  const more = schema["additionalProperties"] ?? schema["patternProperties"];
  if (properties.length === 0) {
    const value =
      typeof more === "object" && more !== null && schema["additionalProperties"] !== undefined
        ? typeText(more, used, inner)
        : "unknown";
    return `{ readonly [name: string]: ${value} }`;
  }
  const lines = properties.map(([name, property]) => {
    const mark = required.has(name) ? "" : "?";
    return `${docOf(object(property), inner)}${inner}readonly ${key(name)}${mark}: ${typeText(property, used, inner)};`;
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function docOf(schema: JsonObject, indent: string): string {
  const says = schema["description"];
  return typeof says === "string" ? `${indent}/** ${says.replaceAll("*/", "*∕").replaceAll("\n", " ")} */\n` : "";
}

function bracketed(text: string): string {
  return / [|&] |^readonly /.test(text) && !text.startsWith("{") ? `(${text})` : text;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function nameIn(type: string): string {
  return /export type (\w+)/.exec(type)?.[1] ?? "";
}

function object(value: Json | undefined): JsonObject {
  // What is looked into is what an OpenAPI document has there.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";

/** What `/openapi.json` says of one method of one path, with its references followed. */
export type Operation = {
  /** `GET /lists/{list_id}` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: { readonly kind: "json"; readonly schema: JsonObject } | { readonly kind: "bytes" } | null;
  /** By status. */
  readonly answers: ReadonlyMap<number, DeclaredAnswer>;
  /** True when no key is needed. */
  readonly open: boolean;
};

export type Parameter = {
  readonly name: string;
  readonly place: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: JsonObject;
};

/** By media type: whether a body is what was declared. Empty: there is no body. */
export type DeclaredAnswer = ReadonlyMap<string, (body: string) => boolean>;

/** Reads an OpenAPI 3.1 document as the server writes it. */
export function readOperations(document: Json): readonly Operation[] {
  const root = objectOf(document);
  const schemas = objectOf(objectOf(root["components"])["schemas"]);
  const follow = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(follow);
    if (!isJsonObject(value)) return value;
    const reference = value["$ref"];
    if (typeof reference !== "string") {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, follow(inner)]));
    }
    const name = reference.slice("#/components/schemas/".length);
    // The name is kept: what a title means is more than its schema can say.
    return { title: name, ...objectOf(follow(objectOf(schemas[name]))) };
  };
  return Object.entries(objectOf(root["paths"])).flatMap(([path, methods]) =>
    Object.entries(objectOf(methods)).map(([method, said]) =>
      operationOf(method.toUpperCase(), path, objectOf(follow(said))),
    ),
  );
}

function operationOf(method: string, path: string, said: JsonObject): Operation {
  const parameters = listOf(said["parameters"]).map((one): Parameter => {
    const { name, in: place, required, schema } = objectOf(one);
    if (place !== "path" && place !== "query" && place !== "header") throw new Error(`${path}: ${String(place)}?`);
    return { name: String(name), place, required: required === true, schema: objectOf(schema) };
  });
  const answers = Object.entries(objectOf(said["responses"])).map(
    ([status, answer]) => [Number(status), answerOf(objectOf(answer))] as const,
  );
  return {
    name: `${method} ${path}`,
    method,
    path,
    parameters,
    body: bodyOf(said["requestBody"]),
    answers: new Map(answers),
    open: listOf(said["security"]).length === 0,
  };
}

function bodyOf(said: Json | undefined): Operation["body"] {
  if (said === undefined) return null;
  const content = objectOf(objectOf(said)["content"]);
  const json = content["application/json"];
  return json === undefined ? { kind: "bytes" } : { kind: "json", schema: objectOf(objectOf(json)["schema"]) };
}

function answerOf(said: JsonObject): DeclaredAnswer {
  const checks = Object.entries(objectOf(said["content"] ?? {})).map(([type, media]) => {
    const { schema } = objectOf(media);
    if (!type.endsWith("json")) return [type, () => true] as const;
    // TypeBox's compiler is another one than the door's: whoever writes the answers does not judge them.
    const check = schema === undefined ? null : Compile(withoutNames(schema) as TSchema);
    return [type, (body: string) => fits(body, check)] as const;
  });
  return new Map(checks);
}

function fits(body: string, check: { Check(value: unknown): boolean } | null): boolean {
  try {
    const value: unknown = JSON.parse(body);
    return check === null || check.Check(value);
  } catch {
    return false;
  }
}

/** Formats are hints for people here. */
function withoutNames(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNames);
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([name, inner]) => !(name === "format" && typeof inner === "string"));
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNames(inner)]));
}

export function objectOf(value: Json | undefined): JsonObject {
  if (!isJsonObject(value)) throw new Error(`an object was expected, not ${JSON.stringify(value)}`);
  return value;
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

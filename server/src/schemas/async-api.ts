import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { SchemaVersion } from "#schemas/schema.ts";

/**
 * The AsyncAPI 3.0 document of what comes in: a channel for each event type, at its address of the HTTP door, with a message
 * whose payload is the newest version of its schema.
 */
export function writeAsyncApi(
  schemas: readonly SchemaVersion[],
  about: { readonly version: string; readonly publicUrl: string },
): JsonObject {
  const names = new Map<string, SchemaVersion>();
  for (const schema of schemas) names.set(nameOf(schema, names), schema);
  const { host, protocol, pathname } = new URL(about.publicUrl);
  const map = (make: (name: string, schema: SchemaVersion) => Json): JsonObject =>
    Object.fromEntries([...names].map(([name, schema]) => [name, make(name, schema)]));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Tidings",
      version: about.version,
      description: "Events that this house takes, by type. `POST /events` takes all of them as CloudEvents as well.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    servers: {
      http: {
        host,
        protocol: protocol.replace(":", ""),
        ...(pathname === "/" ? {} : { pathname }),
        security: [{ $ref: "#/components/securitySchemes/key" }],
      },
    },
    channels: map((name, { type }) => ({
      address: `/events/${encodeURIComponent(type)}`,
      title: type,
      messages: { [name]: { $ref: `#/components/messages/${name}` } },
    })),
    operations: map((name, { type, source }) => ({
      action: "receive",
      summary: source === null ? `Takes ${type}` : `Takes ${type} from ${source}`,
      channel: { $ref: `#/channels/${name}` },
      messages: [{ $ref: `#/channels/${name}/messages/${name}` }],
      bindings: {
        http: {
          method: "POST",
          query: {
            type: "object",
            properties: {
              source: { type: "string", ...(source === null ? {} : { const: source }) },
              id: { type: "string" },
            },
          },
          bindingVersion: "0.3.0",
        },
      },
    })),
    components: {
      messages: map((name, { type, version }) => ({
        name: type,
        title: `${type}, version ${version}`,
        contentType: "application/json",
        payload: { $ref: `#/components/schemas/${name}` },
      })),
      schemas: map((name, { text }) => ({
        schemaFormat: "application/schema+json;version=draft-2020-12",
        // It was read when it was put.
        schema: moved(JSON.parse(text) as Json, `#/components/schemas/${name}/schema`),
      })),
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key" } },
    },
  };
}

/** Keys of AsyncAPI's maps have letters, digits and `. - _` (§ Components Object). */
function nameOf({ type, source }: SchemaVersion, taken: ReadonlyMap<string, unknown>): string {
  const name = (source === null ? type : `${type}-from-${source}`).replaceAll(/[^A-Za-z0-9._-]+/g, "_");
  for (let at = 1; ; at += 1) {
    const one = at === 1 ? name : `${name}_${at}`;
    if (!taken.has(one)) return one;
  }
}

/** A schema's references are into itself; in the document it stands elsewhere. Anchors stay: they are found by name. */
function moved(schema: Json, root: string): Json {
  if (Array.isArray(schema)) return schema.map((one) => moved(one, root));
  if (!isJsonObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => {
      const isPointer = name === "$ref" && typeof value === "string" && /^#(?:\/|$)/.test(value);
      return [name, isPointer ? root + value.slice(1) : moved(value, root)];
    }),
  );
}

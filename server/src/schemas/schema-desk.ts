import type { Document, DocumentKey } from "#domain/document.ts";
import { isJsonObject, type Json } from "#domain/json.ts";
import {
  type Changed,
  change,
  type Decision,
  happened,
  noChanges,
  type Origin,
  refused,
  unchanged,
  write,
} from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import { SOURCE_BYTES_MAX, TYPE_BYTES_MAX } from "#rules/event-limits.ts";
import { POLICIES_MAX, SCHEMAS_MAX, VERSIONS_MAX } from "#schemas/limits.ts";
import {
  headId,
  type Policy,
  SCHEMA_POLICIES,
  SCHEMA_VERSIONS,
  type SchemaAt,
  type SchemaHead,
  SCHEMAS,
  type SchemaState,
  type SchemaVersion,
  versionId,
} from "#schemas/schema.ts";
import { canonical } from "#schemas/walk.ts";

/** What a put led to. `added` is false when the newest version said the same already. */
export type PutSchema = { readonly head: SchemaHead; readonly added: boolean };

/** Schemas and policies: put, read, switched off. What is judged by them is the judge's matter. */
export class SchemaDesk {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Adds a version, unless the newest says the same.
   * @param text the schema as it was written; `schema` the same, read. It must compile.
   */
  async put(at: SchemaAt, text: string, schema: Json, origin: Origin): Promise<Changed<PutSchema>> {
    const flaw = placeFlaw(at);
    if (flaw !== null) return refused("request.invalid", flaw);
    const unfit = await this.flawOf(text, schema);
    if (unfit !== null) return refused("schema.invalid", unfit);
    const wanted = canonical(schema);
    const { store, clock } = this.#engine.parts;
    const key = { collection: SCHEMAS, id: headId(at) };
    return await change(
      this.#engine,
      async (): Promise<Decision<PutSchema>> => {
        const [document = null] = await store.documents([key]);
        const before = document === null ? null : readHead(document);
        const newest = before === null ? null : await this.version(at, before.latest);
        const changes = noChanges();
        if (before !== null && newest !== null && canonical(parse(newest.text)) === wanted) {
          return write(changes, { head: before, added: false });
        }
        if (before === null && (await this.#isFull(SCHEMAS, SCHEMAS_MAX))) {
          return refused("request.invalid", `There are ${SCHEMAS_MAX} schemas; remove some first.`);
        }
        const version = (before?.latest ?? 0) + 1;
        if (version > VERSIONS_MAX) return refused("request.invalid", `A schema may have ${VERSIONS_MAX} versions.`);
        const nowMs = clock.nowMs();
        const { type, source } = at;
        const state = before?.state ?? "active";
        const head: SchemaHead = {
          type,
          source,
          state,
          latest: version,
          createdMs: before?.createdMs ?? nowMs,
          updatedMs: nowMs,
        };
        const added: SchemaVersion = { type, source, version, text, createdMs: nowMs };
        changes.expect.push(unchanged(key, document));
        changes.puts.push({ ...key, body: JSON.stringify(head), when: "always", nowMs });
        const versionKey = { collection: SCHEMA_VERSIONS, id: versionId(at, version) };
        changes.puts.push({ ...versionKey, body: JSON.stringify(added), when: "always", nowMs });
        changes.events.push(happened("schema.added", headId(at), { type, source, version }, { nowMs, origin }));
        return write(changes, { head, added: true });
      },
      origin,
    );
  }

  /** Why a schema cannot be put, in a sentence; null when it can. */
  async flawOf(text: string, schema: Json): Promise<string | null> {
    // Loaded when somebody has schemas: Ajv takes 10 MB.
    const { compileSchema } = await import("#schemas/compile.ts");
    const compiled = compileSchema(text, schema);
    return compiled.ok ? null : compiled.says;
  }

  async head(at: SchemaAt): Promise<SchemaHead | null> {
    const [document] = await this.#engine.parts.store.documents([{ collection: SCHEMAS, id: headId(at) }]);
    return document == null ? null : readHead(document);
  }

  async version(at: SchemaAt, version: number): Promise<SchemaVersion | null> {
    const id = versionId(at, version);
    const [document] = await this.#engine.parts.store.documents([{ collection: SCHEMA_VERSIONS, id }]);
    // Only `put` writes the collection.
    return document == null ? null : (JSON.parse(document.body) as SchemaVersion);
  }

  /** The newest version; null when there is none. */
  async newest(at: SchemaAt): Promise<SchemaVersion | null> {
    const head = await this.head(at);
    return head === null ? null : await this.version(at, head.latest);
  }

  /** All heads, by type and source. */
  async heads(): Promise<readonly SchemaHead[]> {
    return (await this.#all(SCHEMAS)).map(readHead);
  }

  /** The newest versions of all that are active, for what is made of them. */
  async active(): Promise<readonly SchemaVersion[]> {
    const heads = (await this.heads()).filter(({ state }) => state === "active");
    const versions = await Promise.all(heads.map((head) => this.version(head, head.latest)));
    return versions.filter((version) => version !== null);
  }

  setState(at: SchemaAt, state: SchemaState, origin: Origin): Promise<Changed<SchemaHead | null>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: SCHEMAS, id: headId(at) };
    return change(
      this.#engine,
      async (): Promise<Decision<SchemaHead | null>> => {
        const [document = null] = await store.documents([key]);
        const changes = noChanges();
        if (document === null) return write(changes, null);
        const before = readHead(document);
        if (before.state === state) return write(changes, before);
        const nowMs = clock.nowMs();
        const head = { ...before, state, updatedMs: nowMs };
        changes.expect.push(unchanged(key, document));
        changes.puts.push({ ...key, body: JSON.stringify(head), when: "always", nowMs });
        const { type, source } = at;
        changes.events.push(happened("schema.changed", key.id, { type, source, state }, { nowMs, origin }));
        return write(changes, head);
      },
      origin,
    );
  }

  /** Removes a schema with all its versions; false when there was none. */
  remove(at: SchemaAt, origin: Origin): Promise<Changed<boolean>> {
    const { store, clock } = this.#engine.parts;
    const key = { collection: SCHEMAS, id: headId(at) };
    return change(
      this.#engine,
      async (): Promise<Decision<boolean>> => {
        const [document = null] = await store.documents([key]);
        const changes = noChanges();
        if (document === null) return write(changes, false);
        const { latest, type, source } = readHead(document);
        changes.expect.push(unchanged(key, document));
        changes.deletes.push(key);
        for (let version = 1; version <= latest; version += 1) {
          changes.deletes.push({ collection: SCHEMA_VERSIONS, id: versionId(at, version) });
        }
        const when = { nowMs: clock.nowMs(), origin };
        changes.events.push(happened("schema.removed", key.id, { type, source, versions: latest }, when));
        return write(changes, true);
      },
      origin,
    );
  }

  /** Policies by source; `*` is that of all others. */
  async policies(): Promise<ReadonlyMap<string, Policy>> {
    const documents = await this.#all(SCHEMA_POLICIES);
    // Only `setPolicy` writes the collection.
    return new Map(documents.map(({ id, body }) => [id, JSON.parse(body) as Policy]));
  }

  /** Null: the source has none of its own any more. */
  setPolicy(source: string, policy: Policy | null, origin: Origin): Promise<Changed<boolean>> {
    const { store, clock } = this.#engine.parts;
    const key: DocumentKey = { collection: SCHEMA_POLICIES, id: source };
    return change(
      this.#engine,
      async (): Promise<Decision<boolean>> => {
        const flaw = nameFlaw("source", source, SOURCE_BYTES_MAX);
        if (flaw !== null) return refused("request.invalid", flaw);
        const [document = null] = await store.documents([key]);
        const changes = noChanges();
        const body = policy === null ? null : JSON.stringify(policy);
        if ((document?.body ?? null) === body) return write(changes, document !== null);
        if (document === null && (await this.#isFull(SCHEMA_POLICIES, POLICIES_MAX))) {
          return refused("request.invalid", `There are ${POLICIES_MAX} policies; "*" is one for all sources.`);
        }
        const nowMs = clock.nowMs();
        changes.expect.push(unchanged(key, document));
        if (body === null) changes.deletes.push(key);
        else changes.puts.push({ ...key, body, when: "always", nowMs });
        changes.events.push(happened("schema.policy_changed", source, { source, policy }, { nowMs, origin }));
        return write(changes, document !== null);
      },
      origin,
    );
  }

  async #isFull(collection: string, most: number): Promise<boolean> {
    return (await this.#engine.parts.store.listDocuments({ collection, limit: most })).length >= most;
  }

  async #all(collection: string): Promise<readonly Document[]> {
    const documents: Document[] = [];
    for (let after: string | null = null; ; after = documents.at(-1)?.id ?? null) {
      const page = await this.#engine.parts.store.listDocuments({ collection, after, limit: PAGE });
      documents.push(...page);
      if (page.length < PAGE) return documents;
    }
  }
}

const PAGE = 500;

function readHead({ body }: Document): SchemaHead {
  // Only this class writes the collection.
  return JSON.parse(body) as SchemaHead;
}

function parse(text: string): Json {
  // It was JSON when it was put.
  const schema = JSON.parse(text) as Json;
  return isJsonObject(schema) ? schema : {};
}

function placeFlaw({ type, source }: SchemaAt): string | null {
  return (
    nameFlaw("type", type, TYPE_BYTES_MAX) ?? (source === null ? null : nameFlaw("source", source, SOURCE_BYTES_MAX))
  );
}

function nameFlaw(name: string, text: string, bytesMax: number): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  const fits = text !== "" && encoder.encode(text).length <= bytesMax && !/[\u0000-\u001f\u007f]/.test(text);
  return fits && text.isWellFormed() ? null : `A ${name} has 1 to ${bytesMax} bytes and no control characters.`;
}

const encoder = new TextEncoder();

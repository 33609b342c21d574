/** An event type's schemas: the head says which there are, each version is a document of its own. */
export const SCHEMAS = "schemas";
export const SCHEMA_VERSIONS = "schema_versions";
/** id = a source, or `*`; body = `Policy`. */
export const SCHEMA_POLICIES = "schema_policies";

/** What becomes of an event: taken as it is, kept aside, or refused. */
export const VERDICTS = ["ignore", "quarantine", "reject"] as const;
export type PolicyVerdict = (typeof VERDICTS)[number];

/** What is done with a source's events. */
export type Policy = {
  /** An event that does not fit the schema of its type. */
  readonly unfit: PolicyVerdict;
  /** An event whose type has no schema. */
  readonly unknown: PolicyVerdict;
};

/** Every source that has no policy of its own. */
export const ANY_SOURCE = "*";
export const NO_POLICY: Policy = { unfit: "ignore", unknown: "ignore" };

/** Which events a schema is for: a type, and perhaps only those of one source. */
export type SchemaAt = { readonly type: string; readonly source: string | null };

/** `off`: kept, but nothing is judged by it. */
export type SchemaState = "active" | "off";

export type SchemaHead = SchemaAt & {
  readonly state: SchemaState;
  /** The newest version, from 1. */
  readonly latest: number;
  readonly createdMs: number;
  readonly updatedMs: number;
};

export type SchemaVersion = SchemaAt & {
  readonly version: number;
  /** The schema's text as it was given. */
  readonly text: string;
  readonly createdMs: number;
};

/** Neither may have a line break, so it separates them. A type and source have at most 1.5 KB together. */
export function headId({ type, source }: SchemaAt): string {
  return source === null ? type : `${type}\n${source}`;
}

/** Four digits sort as numbers do; `VERSIONS_MAX` has as many. */
export function versionId(at: SchemaAt, version: number): string {
  return `${both(at)}\n${String(version).padStart(4, "0")}`;
}

function both({ type, source }: SchemaAt): string {
  // With both parts always there, no version of one looks like a version of another.
  return `${type}\n${source ?? ""}`;
}

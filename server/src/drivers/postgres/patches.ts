import { bigints, texts } from "#drivers/postgres/arrays.ts";
import { type Ask, type Statement, statement, type Value } from "#drivers/postgres/connection.ts";
import { MESSAGE_STATUSES, type MessagePatch, type MessageStatus, supersedes } from "#domain/message.ts";

/** One statement per combination of patched fields; a pipeline knows about ten. */
export class PatchStatements {
  readonly #schema: string;
  readonly #byShape = new Map<string, Statement>();

  constructor(schema: string) {
    this.#schema = schema;
  }

  /**
   * @param open of messages whose status is not known here: the server minds it.
   * @param settled decided already.
   */
  add(asks: Ask[], open: Iterable<MessagePatch>, settled: Iterable<MessagePatch>): void {
    const groups = new Map<string, Group>();
    for (const patch of open) addTo(groups, patch, patch.status === undefined ? ANY : from(patch.status));
    for (const patch of settled) addTo(groups, patch, ANY);
    for (const [, { fields, status, replaceable, patches }] of groups) {
      patches.sort((a, b) => (a.id < b.id ? -1 : 1));
      const values: Value[] = [texts(patches.map(({ id }) => id))];
      if (status !== null) values.push(status, texts(replaceable));
      for (const field of fields) {
        const column = patches.map((patch) => patch[field] ?? null);
        // A field holds one type in all of them.
        values.push(isTime(field) ? bigints(column as (number | null)[]) : texts(column as (string | null)[]));
      }
      asks.push([this.#statement(fields, status !== null), values]);
    }
  }

  #statement(fields: readonly Field[], hasStatus: boolean): Statement {
    const shape = `${hasStatus} ${fields.join()}`;
    let known = this.#byShape.get(shape);
    if (known === undefined) this.#byShape.set(shape, (known = statement(patchSql(this.#schema, fields, hasStatus))));
    return known;
  }
}

type Group = {
  readonly fields: readonly Field[];
  readonly status: MessageStatus | null;
  readonly replaceable: readonly MessageStatus[];
  readonly patches: MessagePatch[];
};

function addTo(groups: Map<string, Group>, patch: MessagePatch, replaceable: readonly MessageStatus[]): void {
  const fields = FIELDS.filter((field) => patch[field] !== undefined);
  const status = patch.status ?? null;
  if (fields.length === 0 && status === null) return;
  const name = `${status} ${replaceable === ANY} ${fields.join()}`;
  const group = groups.get(name);
  if (group === undefined) groups.set(name, { fields, status, replaceable, patches: [patch] });
  else group.patches.push(patch);
}

/** What a patch can hold beside its status, and its column. */
const COLUMNS = {
  reason: "reason",
  error: "error",
  channel: "channel",
  provider: "provider",
  sentMs: "sent_ms",
  deliveredMs: "delivered_ms",
  openedMs: "opened_ms",
  clickedMs: "clicked_ms",
  canceledMs: "canceled_ms",
} as const satisfies { readonly [field in Exclude<keyof MessagePatch, "id" | "status">]: string };
type Field = keyof typeof COLUMNS;
// `COLUMNS` is an object literal: its keys are these.
const FIELDS = Object.keys(COLUMNS) as readonly Field[];

function isTime(field: Field): boolean {
  return field.endsWith("Ms");
}

const ANY = MESSAGE_STATUSES;
/** For each status, those that it may replace. */
const REPLACEABLE: ReadonlyMap<MessageStatus, readonly MessageStatus[]> = new Map(
  MESSAGE_STATUSES.map((to) => [to, MESSAGE_STATUSES.filter((one) => supersedes(to, one))]),
);

function from(to: MessageStatus): readonly MessageStatus[] {
  return REPLACEABLE.get(to) ?? [];
}

/** $1 the ids; then, if there is a status, it and those that it may replace; then the fields. Reason and error follow its fate. */
export function patchSql(schema: string, fields: readonly Field[], hasStatus: boolean): string {
  const first = hasStatus ? 4 : 2;
  const sets = fields.map((field) => {
    const column = COLUMNS[field];
    const follows = hasStatus && (field === "reason" || field === "error");
    return follows
      ? `${column} = CASE WHEN m.status = ANY($3::text[]) THEN p.${column} ELSE m.${column} END`
      : `${column} = p.${column}`;
  });
  if (hasStatus) sets.unshift("status = CASE WHEN m.status = ANY($3::text[]) THEN $2::text ELSE m.status END");
  const arrays = fields.map((field, at) => `, $${first + at}::${isTime(field) ? "bigint" : "text"}[]`).join("");
  const columns = fields.map((field) => `, ${COLUMNS[field]}`).join("");
  return `UPDATE ${schema}.messages m SET ${sets.join(", ")}
    FROM unnest($1::text[]${arrays}) AS p(id${columns}) WHERE m.id = p.id`;
}

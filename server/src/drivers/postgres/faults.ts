import pg from "pg";
import { OperatorFault } from "#domain/faults.ts";
import { StoreFault } from "#ports/store.ts";

/**
 * What pg has thrown, as what the store's callers know: a `StoreFault` when the database cannot do it now. Anything else
 * (a wrong statement, a value that does not fit) is a bug of ours and stays what it is. No message holds the URL.
 *
 * Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function faultOf(error: unknown): unknown {
  if (error instanceof StoreFault || error instanceof OperatorFault || error instanceof TypeError) return error;
  if (!(error instanceof Error)) return error;
  if (!(error instanceof pg.DatabaseError)) {
    // Of the connection: node's, or pg's own words for its end.
    return new StoreFault("store.failed", `The database cannot be reached: ${error.message || "no answer"}`, {
      cause: error,
    });
  }
  const code = error.code ?? "";
  const kind = BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)];
  return kind === undefined
    ? error
    : new StoreFault(kind, `Postgres says: ${error.message} (${code})`, { cause: error });
}

const BY_CODE: Readonly<Record<string, StoreFault["code"]>> = {
  "53100": "store.full",
  "53300": "store.busy",
  "40001": "store.busy",
  "40P01": "store.busy",
  "55P03": "store.busy",
  // A statement took longer than it may.
  "57014": "store.busy",
  // What was the primary is a standby now.
  "25006": "store.failed",
  "25P03": "store.failed",
};

/** By the first two characters. Connection, authorization, resources, operator's intervention, the system, damage. */
const BY_CLASS: Readonly<Record<string, StoreFault["code"]>> = {
  "08": "store.failed",
  "28": "store.failed",
  "53": "store.failed",
  "57": "store.failed",
  "58": "store.failed",
  XX: "store.failed",
};

/** Two transactions were in each other's way, and this one made room: it may succeed at once. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40P01" || code === "40001" || code === "55P03";
}

/** A named statement is not on this connection, or was there already: somebody mixes connections up. */
export function isBouncerTrouble(error: unknown): boolean {
  const code = codeOf(error);
  return code === "26000" || code === "42P05" || (code === "0A000" && /cached plan/.test(String(error)));
}

/** A pooler does not take settings when a connection begins. */
export function isStrangerToSettings(error: unknown): boolean {
  return codeOf(error) === "08P01" || (error instanceof Error && /unsupported startup parameter/.test(error.message));
}

/** The SQLSTATE behind an error or behind the fault that was made of it. */
export function codeOf(error: unknown): string | null {
  const from = error instanceof StoreFault ? error.cause : error;
  return from instanceof pg.DatabaseError ? (from.code ?? null) : null;
}

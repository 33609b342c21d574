import { OperatorFault } from "#domain/faults.ts";
import { StoreFault } from "#ports/store.ts";

/** What failed at opening, for the operator: where the database is that cannot be reached, without its password. */
export function unreachableFault(error: unknown, url: string): unknown {
  if (error instanceof StoreFault) {
    const hint = "See that it runs, and that host, database, user and password of its URL are right";
    return new OperatorFault("store.unreachable", `Postgres at ${placeOf(url)}: ${error.message}. ${hint}`, {
      cause: error,
    });
  }
  // `new URL` keeps what it could not read, which may hold a password.
  if (error instanceof TypeError && "input" in error) {
    return new OperatorFault(
      "config.invalid",
      "The URL of the database cannot be read: postgres://user@host:5432/database",
    );
  }
  return error;
}

function placeOf(url: string): string {
  if (!URL.canParse(url)) return "an unreadable URL";
  const { host, pathname, searchParams } = new URL(url);
  return `${host === "" ? (searchParams.get("host") ?? "localhost") : host}${pathname}`;
}

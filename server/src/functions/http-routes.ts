import type { DeclaredFunction } from "#ports/function-host.ts";

/**
 * First segments of the door's own paths, and of those that are to come: a function's path may not begin with them. A test of
 * the door compares them with what it serves.
 */
export const RESERVED_SEGMENTS: ReadonlySet<string> = new Set([
  "admin",
  "asyncapi.json",
  "attachments",
  "audiences",
  "automations",
  "aws",
  "blobs",
  "brands",
  "buses",
  "console",
  "docs",
  "documents",
  "events",
  "functions",
  "health",
  "inbound",
  "lists",
  "mailbox",
  "messages",
  "metrics",
  "notifications",
  "openapi.json",
  "preferences",
  "profiles",
  "queues",
  "ready",
  "requests",
  "rules",
  "schemas",
  "send",
  "suppressions",
  "templates",
  "tenants",
  "topology",
  "topology.json",
  "topology.mmd",
  "u",
  "users",
  "webhooks",
]);

/** More segments are no path that somebody types. */
const SEGMENTS_MAX = 16;
const PATH_CHARS_MAX = 256;
const LITERAL = /^[A-Za-z0-9._~!$'()+,;=@-]+$/;
const PARAM = /^:[A-Za-z_]\w*$/;

/** What a route is found by. */
export type RoutePlace = { readonly method: string; readonly path: string };

export type FoundRoute<Route> =
  | { readonly kind: "found"; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  /** The path is there, for these methods. */
  | { readonly kind: "method"; readonly methods: readonly string[] }
  | { readonly kind: "none" };

/**
 * The paths of functions, which appear and go while the door is open. `:name` stands for one segment, and a segment that is
 * written out goes before one that is named: first looked at from the left.
 */
export class HttpRoutes<Route> {
  readonly #bySegments = new Map<number, Entry<Route>[]>();

  /** @returns how to take it away again. */
  add({ method, path }: RoutePlace, route: Route): () => void {
    const segments = segmentsOf(path);
    const entry: Entry<Route> = { method, segments, route };
    const entries = this.#bySegments.get(segments.length) ?? [];
    this.#bySegments.set(segments.length, [...entries, entry].toSorted(byExactness));
    return () => {
      const left = (this.#bySegments.get(segments.length) ?? []).filter((one) => one !== entry);
      this.#bySegments.set(segments.length, left);
    };
  }

  /** @param segments of the path that was called, decoded. HEAD finds what answers GET. */
  find(method: string, segments: readonly string[]): FoundRoute<Route> {
    const wanted = method === "HEAD" ? "GET" : method;
    const fits = (this.#bySegments.get(segments.length) ?? []).filter((entry) => matches(entry.segments, segments));
    const found = fits.find((entry) => entry.method === wanted);
    if (found !== undefined) return { kind: "found", route: found.route, params: paramsOf(found.segments, segments) };
    if (fits.length === 0) return { kind: "none" };
    return { kind: "method", methods: [...new Set(fits.map((entry) => entry.method))] };
  }
}

type Entry<Route> = { readonly method: string; readonly segments: readonly string[]; readonly route: Route };

/** Why a function cannot have this path, in a sentence for who declared it; null when it can. */
export function pathFault(path: string): string | null {
  const shown = JSON.stringify(path.slice(0, 80));
  if (!path.startsWith("/") || path.length > PATH_CHARS_MAX)
    return `The path ${shown} must begin with "/" and have at most ${PATH_CHARS_MAX} characters.`;
  const segments = segmentsOf(path);
  const [first = ""] = segments;
  if (path === "/") return 'The path "/" is Tidings\' own; begin it with a word, such as /api/customers.';
  if (segments.length > SEGMENTS_MAX) return `The path ${shown} may have at most ${SEGMENTS_MAX} segments.`;
  const flawed = segments.find((segment) => !(segment.startsWith(":") ? PARAM : LITERAL).test(segment));
  if (flawed !== undefined)
    return `The path ${shown} has the segment ${JSON.stringify(flawed)}: a segment is text without spaces and "%", or ":name" with letters, digits and "_".`;
  const names = segments.filter((segment) => segment.startsWith(":"));
  if (new Set(names).size < names.length) return `The path ${shown} names a parameter twice.`;
  if (first.startsWith(":"))
    return `The path ${shown} begins with a parameter and would take Tidings' own paths; begin it with a word, such as /api${path}.`;
  if (RESERVED_SEGMENTS.has(first))
    return `The path ${shown} is Tidings' own: /${first} and what is below belong to its doors. Begin it with another word, such as /api${path}.`;
  return null;
}

/** What two routes may not have in common: the method, and the path whatever its parameters are called. */
export function routeShape({ method, path }: RoutePlace): string {
  return `${method} /${segmentsOf(path)
    .map((segment) => (segment.startsWith(":") ? ":" : segment))
    .join("/")}`;
}

/** A sentence about a route that two functions declare, for the second of them. */
export function sameRoute({ method, path }: RoutePlace, first: Pick<DeclaredFunction, "file" | "line">): string {
  return `${method} ${path} is declared in ${first.file}:${first.line} already; give one of them another path.`;
}

/** A slash at the end does not count. */
export function segmentsOf(path: string): readonly string[] {
  return path.replace(/^\//, "").replace(/\/$/, "").split("/");
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.every((part, at) => (part.startsWith(":") ? segments[at] !== "" : part === segments[at]));
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pattern.flatMap((part, at) => (part.startsWith(":") ? [[part.slice(1), segments[at] ?? ""]] : [])),
  );
}

/** Written out before named, from the left. */
function byExactness(one: { readonly segments: readonly string[] }, other: { readonly segments: readonly string[] }) {
  for (const [at, segment] of one.segments.entries()) {
    const difference = Number(segment.startsWith(":")) - Number(other.segments[at]?.startsWith(":"));
    if (difference !== 0) return difference;
  }
  return 0;
}

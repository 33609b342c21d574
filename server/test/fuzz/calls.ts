import fc, { type Arbitrary } from "fast-check";
import type { Json } from "#domain/json.ts";
import { bent, bentText, hostileHeader, hostileSegment, hostileText } from "./hostile.ts";
import type { Operation, Parameter } from "./operations.ts";
import { known, valueOf } from "./values.ts";

/** One call as it is meant; what it names by `@@…@@` is filled in when it goes out. */
export type Plan = {
  readonly operation: Operation;
  readonly method: string;
  /** Segments as they stand on the line, encoded when the value is known. */
  readonly path: Readonly<Record<string, Segment>>;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: Auth;
  readonly body: string | Uint8Array | null;
  /** What was broken on purpose; empty: nothing. */
  readonly flaws: readonly string[];
};

export type Segment = { readonly text: string; readonly raw: boolean };

/** `made`: a key that an earlier call made, whatever it may do. */
export type Auth = "good" | "basic" | "none" | "wrong" | "empty" | "scheme" | "made";

/** Every call of this operation that somebody might make: half of them as documented, half broken in one way or two. */
export function callsOf(operation: Operation): Arbitrary<Plan> {
  const valid = validCall(operation);
  return fc.oneof(
    valid,
    valid.chain((plan) => broken(plan)),
    valid.chain((plan) => broken(plan)).chain((plan) => fc.oneof(fc.constant(plan), broken(plan))),
  );
}

function validCall(operation: Operation): Arbitrary<Plan> {
  const of = (place: Parameter["place"]): Arbitrary<[string, Json][]> => {
    if (place === "query" && operation.name === "GET /admin/why") return ONE_QUESTION;
    const entries = operation.parameters
      .filter((one) => one.place === place)
      .map(({ name, required, schema }) => {
        const value = valueOf(schema, name).map((one): [string, Json][] => [[name, one]]);
        return required ? value : fc.oneof({ weight: 3, arbitrary: fc.constant<[string, Json][]>([]) }, value);
      });
    return fc.tuple(...entries).map((all) => all.flat());
  };
  return fc.tuple(of("path"), of("query"), of("header"), bodyOf(operation)).map(
    ([path, query, headers, body]): Plan => ({
      operation,
      method: operation.method,
      path: Object.fromEntries(path.map(([name, value]) => [name, { text: String(value), raw: false }])),
      query: query.map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)] as const),
      headers: {
        ...Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
        ...(operation.body?.kind === "json" ? { "content-type": "application/json" } : {}),
      },
      auth: "good",
      body,
      flaws: [],
    }),
  );
}

/** Either is asked for, which OpenAPI cannot say of parameters. */
const ONE_QUESTION: Arbitrary<[string, Json][]> = fc.oneof(
  known("message").map((id): [string, Json][] => [["message", id]]),
  fc.constantFrom("fuzz-user-1", "ada@example.com").map((who): [string, Json][] => [["recipient", who]]),
);

function bodyOf({ body }: Operation): Arbitrary<string | Uint8Array | null> {
  if (body === null) return fc.constant(null);
  if (body.kind === "bytes") return fc.uint8Array({ minLength: 1, maxLength: 200 });
  return valueOf(body.schema).map((value) => JSON.stringify(value));
}

/** The same call with one flaw more. */
function broken(plan: Plan): Arbitrary<Plan> {
  const names = Object.keys(plan.path);
  const queries = plan.operation.parameters.filter(({ place }) => place === "query").map(({ name }) => name);
  const flaw = (name: string, change: Partial<Plan>): Plan => ({ ...plan, ...change, flaws: [...plan.flaws, name] });
  const header = (flawed: string, name: string, value: Arbitrary<string>) =>
    value.map((text) => flaw(flawed, { headers: { ...plan.headers, [name]: text } }));
  const text = typeof plan.body === "string" ? plan.body : null;
  const others = fc.oneof(
    fc
      .constantFrom<Auth>("basic", "none", "wrong", "empty", "scheme", "made")
      .map((auth) => flaw(`auth: ${auth}`, { auth })),
    ...names.map((name) =>
      hostileSegment.map((segment) =>
        flaw(`path: ${name}`, { path: { ...plan.path, [name]: { text: segment, raw: true } } }),
      ),
    ),
    fc
      .tuple(fc.constantFrom(...queries, "__proto__", "constructor", "nobody_knows"), shortHostileText, fc.boolean())
      .map(([name, value, twice]) =>
        flaw(`query: ${name}`, { query: [...plan.query, [name, value], ...(twice ? [[name, value] as const] : [])] }),
      ),
    header(
      "content type",
      "content-type",
      fc.constantFrom("text/plain", "application/json; charset=latin1", "application/xml", "json", "*/*", ";"),
    ),
    header("content encoding", "content-encoding", fc.constantFrom("gzip", "br", "identity", "x")),
    header("idempotency key", "idempotency-key", hostileHeader),
    header("expiration", "x-idempotency-expiration", hostileHeader),
    header("trace", "traceparent", hostileHeader),
    header("last event", "last-event-id", hostileHeader),
    fc
      .constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
      .map((method) => flaw(`method: ${method}`, { method })),
    ...(plan.body === null && plan.method !== "GET" ? [fc.constant(flaw("a body", { body: '{"a":1}' }))] : []),
  );
  return text === null
    ? others
    : fc.oneof({ weight: 2, arbitrary: bentBody(text, flaw) }, { weight: 1, arbitrary: others });
}

/** A call's head has 16 KB. */
const shortHostileText = hostileText.filter((text) => encodeURIComponent(text.toWellFormed()).length < 6_000);

type Flaw = (name: string, change: Partial<Plan>) => Plan;

/** What can be wrong with a JSON body: what it says, how it is written, or that it is not there. */
function bentBody(text: string, flaw: Flaw): Arbitrary<Plan> {
  const asText = bentText(text).map((bytes) => flaw("text", { body: bytes }));
  const none = fc.constant(flaw("no body", { body: null }));
  // Twice broken, it may be no JSON any more.
  const value = parsed(text);
  if (value === undefined) return fc.oneof(asText, none);
  const asJson = bent(value).map((one) => flaw("body", { body: JSON.stringify(one) }));
  return fc.oneof({ weight: 8, arbitrary: asJson }, { weight: 3, arbitrary: asText }, { weight: 1, arbitrary: none });
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

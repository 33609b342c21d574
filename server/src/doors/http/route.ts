import type { IncomingHttpHeaders } from "node:http";
import type { Static, TObject, TSchema } from "typebox";
import type { Answer, TextAnswer } from "#doors/http/answer.ts";
import type { BodyRead } from "#doors/http/body.ts";
import type { AnswerDoc } from "#doors/http/openapi.ts";
import type { CallTitle } from "#doors/http/trace.ts";
import type { FaultCode } from "#domain/problem.ts";
import type { OnceRecord } from "#ports/store.ts";

/**
 * How a file in `routes/` says what it serves:
 *
 *     export function registerLists(routes: Routes, house: HttpHouse): void {
 *       routes.add({
 *         method: "GET", path: "/lists/:list_id", tag: "lists", scope: "read",
 *         summary: "One list", params: Type.Object({ list_id: Type.String() }),
 *         answers: { 200: { says: "The list", body: MailList } }, faults: ["thing.unknown"],
 *         handle: async ({ params }) => { … return json(200, list); },
 *       });
 *     }
 *
 * The same table validates, documents itself in `/openapi.json`, and is found by the router. Schemas that outsiders see
 * live in `contract/src/` (`profiles.ts`, `lists.ts`, `keys.ts`, `suppressions.ts` beside `shared.ts`).
 */
export interface Routes {
  add<Params extends TObject = TObject<{}>, Query extends TObject = TObject<{}>, Body extends TSchema = TSchema>(
    route: Route<Params, Query, Body>,
  ): void;
  /** Gives a path and everything below it to a door of another protocol. */
  raw(route: RawRoute): void;
}

/** `open`: no key needed. A key with `full` may do everything, one with `send` or `read` only what is marked so. */
export type Scope = "open" | "send" | "read" | "full";

export type Tag =
  | "send"
  | "messages"
  | "requests"
  | "profiles"
  | "lists"
  | "suppressions"
  | "events"
  | "rules"
  | "queues"
  | "webhooks"
  | "functions"
  | "documents"
  | "blobs"
  | "schemas"
  | "mailbox"
  | "keys"
  | "admin"
  | "service";

export type Route<Params extends TObject, Query extends TObject, Body extends TSchema> = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `:name` for a segment; decoded after splitting. */
  readonly path: string;
  readonly tag: Tag;
  readonly scope: Scope;
  /** A line without full stop, for the reference. */
  readonly summary: string;
  readonly description?: string;
  readonly params?: Params;
  /**
   * Strings, Booleans, integers and arrays of strings; arrays may come comma-joined, repeated, or both (§1.4). What is
   * not declared is ignored.
   */
  readonly query?: Query;
  /** The JSON body's schema. Unknown fields are allowed and kept; no body is as good as `{}`. Absent: none is read. */
  readonly body?: Body;
  /** A body that works, shown in the reference. */
  readonly example?: unknown;
  /** Takes the bytes of any content type instead of JSON, up to so many. */
  readonly rawBytesMax?: number;
  /** With `rawBytesMax`: the content types that the reference shows, each with a body that works. */
  readonly rawTypes?: Readonly<Record<string, unknown>>;
  /** Successful answers by status. */
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** Refusals that are peculiar to this route; those of auth, body and store are added by themselves. */
  readonly faults?: readonly FaultCode[];
  /**
   * Honours Idempotency-Key (§1.6); only for POST. The first answer is looked up before `handle` and stored by
   * `commitAnswer`. `"at commit"`: `handle` hands `call.once` on to someone who finds out at the commit.
   */
  readonly idempotent?: true | "at commit";
  /** Never throws for the caller's mistakes: those are answers. A StoreFault may pass through, and answers 503. */
  readonly handle: (call: Call<Static<Params>, Static<Query>, Static<Body>>) => Promise<Answer> | Answer;
  /** For pages and machinery that the reference does not list. */
  readonly hidden?: boolean;
};

/**
 * What a door of another protocol serves on the same port: it reads path, headers and body by itself and says everything
 * in its own form, refusals included. No reference lists it.
 */
export type RawRoute = {
  /** Without a slash at the end, such as `/aws`. */
  readonly path: string;
  readonly methods: readonly ("GET" | "POST")[];
  /** A longer body is refused while it arrives. */
  readonly bodyBytesMax: number;
  /** As a route's: what it throws is refused as `store.unavailable` or `internal`, and logged. May take long. */
  readonly handle: (call: RawCall) => Promise<TextAnswer>;
  /** What cannot be answered, in the protocol's words; FAULTS tells the status that other doors give it. */
  readonly refuse: (call: RawCall, code: FaultCode) => TextAnswer;
};

/** A call as it came. */
export type RawCall = {
  readonly method: string;
  /** Path and query, still encoded. */
  readonly url: string;
  /** By lower-case name; what came twice is joined. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values by turns, exactly as sent; bytes above 0x7f as latin-1. */
  readonly rawHeaders: readonly string[];
  /** Reads the body; asked once, and only after whoever may not come in is refused. */
  readonly read: () => Promise<BodyRead>;
  readonly traceparent: string;
  readonly callId: string;
  /** Says what it is, for its span, since all calls of the route have one path. The last word counts. */
  readonly entitle: (title: CallTitle) => void;
  /** As a call's. */
  readonly signal: () => AbortSignal;
};

/** One checked call. */
export type Call<Params = unknown, Query = unknown, Body = unknown> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came; "" when there was none. */
  readonly text: string;
  /** With `rawBytesMax`: the bytes as they came. */
  readonly bytes: Uint8Array;
  readonly headers: IncomingHttpHeaders;
  /** Who calls. */
  readonly caller: Caller;
  /** W3C Trace Context, the caller's own or one begun here. */
  readonly traceparent: string;
  /** For the log and the header `x-request-id`. */
  readonly callId: string;
  /** What the answer will be remembered under; null without an Idempotency-Key. */
  readonly once: Once | null;
  /** Aborted when the caller has gone or the door closes; for answers that take long. */
  readonly signal: () => AbortSignal;
};

export type Once = Pick<OnceRecord, "key" | "fingerprint" | "expiresMs">;

/** `id` is short, stable and no secret: it stands in logs and is the caller's share in the lanes. */
export type Caller = { readonly id: string; readonly name: string; readonly scopes: readonly string[] };

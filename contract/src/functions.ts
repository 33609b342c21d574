import { type Static, type TSchema, Type } from "./schema.ts";
import { EpochMs, JsonMap, Paging } from "./shared.ts";

const Nullable = <Schema extends TSchema>(schema: Schema, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });

const WHAT = {
  file: Type.String({ description: "Seen from where the server was started" }),
  line: Nullable(Type.Integer()),
};

/** What starts a function, as it is declared. */
export const FunctionTrigger = Type.Object(
  {
    kind: Type.Union([
      Type.Literal("queue"),
      Type.Literal("event"),
      Type.Literal("stream"),
      Type.Literal("http"),
      Type.Literal("schedule"),
      Type.Literal("blob"),
    ]),
    says: Type.String({ description: "In a few words: the queue, the pattern, the method and path, the time" }),
    spec: Type.Unsafe<Readonly<Record<string, unknown>>>({ ...JsonMap, description: "All of it" }),
  },
  { title: "FunctionTrigger" },
);
export type FunctionTrigger = Static<typeof FunctionTrigger>;

const InvocationError = Type.Object(
  {
    name: Type.String({
      description: "Of the error that was thrown, or Timeout, OutOfMemory, Exit, LoadError, BadOutput",
    }),
    message: Type.String(),
    at: Nullable(Type.String(), "`file:line:column` of the function's own code"),
    stack: Nullable(Type.String()),
  },
  { title: "FunctionError" },
);

const LogLine = Type.Object(
  {
    at: EpochMs,
    level: Type.Union([Type.Literal("debug"), Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")]),
    text: Type.String(),
    fields: Nullable(JsonMap),
  },
  { title: "FunctionLogLine" },
);

export const FunctionCalls = Type.Object(
  {
    done: Type.Integer(),
    failed: Type.Integer(),
  },
  { title: "FunctionCalls", description: "Calls on the node that answers, since it started" },
);

export const FunctionView = Type.Object(
  {
    name: Type.String(),
    ...WHAT,
    trigger: FunctionTrigger,
    timeout_ms: Type.Integer(),
    concurrency: Type.Integer({ description: "Most calls at once on a node" }),
    attempts: Type.Integer(),
    memory_mb: Type.Integer(),
    state: Type.Union([Type.Literal("running"), Type.Literal("faulty"), Type.Literal("stopped")]),
    fault: Nullable(Type.String(), "Why it does not run"),
    calls: FunctionCalls,
    last_run: Nullable(EpochMs, "On the node that answers"),
    last_error: Nullable(
      Type.Object({ at: EpochMs, name: Type.String(), message: Type.String() }),
      "On the node that answers",
    ),
    next_run: Nullable(EpochMs, "Schedules"),
    waiting: Nullable(Type.Integer(), "What waits for it: messages, events or jobs; null where nothing waits"),
  },
  { title: "Function" },
);
export type FunctionView = Static<typeof FunctionView>;

export const FunctionFault = Type.Object(
  { name: Type.String({ description: "Of the function that it would be" }), ...WHAT, message: Type.String() },
  { title: "FunctionFault", description: "A file that could not be loaded, or that declares what cannot be" },
);
export type FunctionFault = Static<typeof FunctionFault>;

export const Functions = Type.Object(
  { results: Type.Array(FunctionView), faults: Type.Array(FunctionFault) },
  { title: "Functions" },
);
export type Functions = Static<typeof Functions>;

export const FunctionInvocation = Type.Object(
  {
    id: Type.String(),
    function: Type.String(),
    key: Type.String({ description: "The same at every try" }),
    attempt: Type.Integer(),
    started: EpochMs,
    took_ms: Type.Integer(),
    outcome: Type.Union([Type.Literal("done"), Type.Literal("failed"), Type.Literal("innocent")], {
      description: "innocent: it was not begun, or ended by another call, and is tried again",
    }),
    error: Nullable(InvocationError),
    logs: Type.Array(LogLine),
    traceparent: Nullable(Type.String()),
  },
  { title: "FunctionInvocation" },
);
export type FunctionInvocation = Static<typeof FunctionInvocation>;

export const FunctionInvocations = Type.Object(
  { paging: Paging, results: Type.Array(FunctionInvocation) },
  { title: "FunctionInvocations" },
);
export type FunctionInvocations = Static<typeof FunctionInvocations>;

export const FunctionInvokeBody = Type.Object(
  {
    input: Type.Optional(Type.Unknown({ description: "What the handler is given; default: null" })),
  },
  { title: "FunctionInvokeBody" },
);
export type FunctionInvokeBody = Static<typeof FunctionInvokeBody>;

export const FunctionInvoked = Type.Object(
  {
    id: Type.String(),
    outcome: FunctionInvocation.properties.outcome,
    output: Type.Unknown({ description: "What the handler returned; null for nothing" }),
    error: Nullable(InvocationError),
    logs: Type.Array(LogLine),
    took_ms: Type.Integer(),
  },
  { title: "FunctionInvoked" },
);
export type FunctionInvoked = Static<typeof FunctionInvoked>;

import type { Dice } from "#ports/dice.ts";
import type { Span, SpanAttributes, Tracer } from "#ports/tracer.ts";

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** How a call is told apart: the trace that it belongs to, and its own id. */
export type Trace = { readonly traceparent: string; readonly callId: string };

/**
 * The caller's W3C Trace Context, or a new one when there is none or it is malformed (§3.2: restart the trace). Later
 * versions are read as version 00.
 */
export function traceOf(header: string | string[] | undefined, dice: Dice): Trace {
  const known = parseTraceparent(typeof header === "string" ? header : undefined);
  if (known !== null) return { traceparent: known, callId: dice.hex(8) };
  const hex = dice.hex(24);
  const callId = hex.slice(32);
  return { traceparent: `00-${hex.slice(0, 32)}-${callId}-01`, callId };
}

/** As `traceOf`, with a span of our own for the call where traces are wanted: what follows from it points there. */
export function traceCall(
  header: string | string[] | undefined,
  route: { readonly method: string; readonly path: string },
  { dice, engine }: { readonly dice: Dice; readonly engine: { readonly parts: { readonly tracer?: Tracer } } },
): { readonly trace: Trace; readonly span: Span | null } {
  const { tracer } = engine.parts;
  if (tracer === undefined) return { trace: traceOf(header, dice), span: null };
  const span = tracer.begin({
    name: `${route.method} ${route.path}`,
    kind: "server",
    parent: parseTraceparent(typeof header === "string" ? header : undefined),
    links: [],
    attributes: { "http.request.method": route.method, "http.route": route.path },
  });
  const { traceparent } = span;
  return { trace: { traceparent, callId: traceparent.slice(36, 52) }, span };
}

/** What a call turned out to be, where its path does not say it. */
export type CallTitle = { readonly name: string; readonly attributes: SpanAttributes };

/** Ends the span of a call; what is our fault is an error (semantic conventions, HTTP server). */
export function endCall(span: Span | null, status: number, title: CallTitle | null = null): void {
  span?.end({
    ...(title === null ? {} : { name: title.name }),
    attributes: { "http.response.status_code": status, ...title?.attributes },
    ...(status >= 500 ? { error: String(status) } : {}),
  });
}

/** A traceparent in the form of version 00; null when it is malformed. */
export function parseTraceparent(text: string | undefined): string | null {
  if (text === undefined || text.length > 512 || !TRACEPARENT.test(text)) return null;
  if (!text.startsWith("00-")) return `00${text.slice(2, 55)}`;
  return text.length === 55 ? text : null;
}

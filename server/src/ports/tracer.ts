/**
 * Spans of what this process does, for whoever watches many services at once (OpenTelemetry). Where nobody listens there
 * is no tracer, and nothing of this is made.
 */
export interface Tracer extends AsyncDisposable {
  begin(span: NewSpan): Span;
}

export type NewSpan = {
  readonly name: string;
  /** As OpenTelemetry says it: who called, or who was called, or what lay between on a queue. */
  readonly kind: "server" | "client" | "producer" | "consumer" | "internal";
  /** W3C traceparent of the span that this one is a part of; null: it begins a trace of its own. */
  readonly parent: string | null;
  /** Traceparents of what led to it over a queue: those are pointed at, not continued (semantic conventions, messaging). */
  readonly links: readonly string[];
  readonly attributes: SpanAttributes;
};

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface Span {
  /** By which others continue it or point at it. */
  readonly traceparent: string;
  /** Once. `error` in a few words when what was tried failed; `name` where only now it is known what it was. */
  end(result?: { readonly error?: string; readonly attributes?: SpanAttributes; readonly name?: string }): void;
}

/** A span of a worker on jobs or events that came over a queue of ours. Only what says that it is sampled is traced. */
export function beginProcessing(
  tracer: Tracer,
  queue: string,
  from: readonly (string | null)[],
  attributes: SpanAttributes,
): Span | null {
  const links = [...new Set(from)].flatMap((one) => (one !== null && isSampled(one) ? [one] : [])).slice(0, LINKS_MAX);
  if (links.length === 0) return null;
  return tracer.begin({
    name: `process ${queue}`,
    kind: "consumer",
    parent: null,
    links,
    attributes: {
      "messaging.system": "tidings",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": queue,
      ...attributes,
    },
  });
}

/** Links that one span of a batch carries: enough to find the way back, not a list of all. */
const LINKS_MAX = 32;

/** The flag `sampled` of a traceparent (Trace Context §3.2.2.5): without it whoever called records nothing either. */
function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
}

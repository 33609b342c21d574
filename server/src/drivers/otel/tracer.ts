import {
  type Context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as ApiTracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { NewSpan, Span, Tracer } from "#ports/tracer.ts";

export type TracingOptions = {
  /** Where traces are posted, whole: `http://collector:4318/v1/traces`. */
  readonly url: string;
  /** Sent with each post, e.g. the key of a hosted collector. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly instanceId: string;
  /** Of the traces that begin here, the part that is recorded; what a caller has decided is kept. */
  readonly ratio: number;
};

/** Spans that wait for the next post; what comes on top is dropped, never waited for. */
const QUEUE_SPANS_MAX = 8_192;
const POST_SPANS_MAX = 512;
/** How often spans are posted. */
const POST_EVERY_MS = 2_000;
/** A collector that does not answer holds up a stop no longer than this. */
const POST_MS_MAX = 5_000;

/**
 * Traces by OpenTelemetry's SDK, posted as OTLP over HTTP. This file is imported only when an endpoint is set: the SDK
 * takes some 35 MB of memory and 5 µs a span.
 */
export function openTracer(options: TracingOptions): Tracer {
  const exporter = new OTLPTraceExporter({
    url: options.url,
    headers: { ...options.headers },
    timeoutMillis: POST_MS_MAX,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.serviceName,
      "service.version": options.serviceVersion,
      "service.instance.id": options.instanceId,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: QUEUE_SPANS_MAX,
        maxExportBatchSize: POST_SPANS_MAX,
        scheduledDelayMillis: POST_EVERY_MS,
        exportTimeoutMillis: POST_MS_MAX,
      }),
    ],
  });
  return new OtelTracer(provider, provider.getTracer("tidings", options.serviceVersion));
}

class OtelTracer implements Tracer {
  readonly #provider: TracerProvider;
  readonly #tracer: ApiTracer;

  constructor(provider: TracerProvider, tracer: ApiTracer) {
    this.#provider = provider;
    this.#tracer = tracer;
  }

  begin({ name, kind, parent, links, attributes }: NewSpan): Span {
    const from = parent === null ? null : contextOf(parent);
    const context: Context = from === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, from);
    const pointed = links.flatMap((link) => contextOf(link) ?? []).map((to) => ({ context: to }));
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], links: pointed, attributes }, context);
    return {
      traceparent: textOf(span.spanContext()),
      end: (result) => {
        if (result?.name !== undefined) span.updateName(result.name);
        if (result?.attributes !== undefined) span.setAttributes(result.attributes);
        if (result?.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: result.error });
        span.end();
      },
    };
  }

  /** Posts what waits. A collector that is away loses it: nobody waits for traces longer than `POST_MS_MAX`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#provider.shutdown().catch(() => {});
  }
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

/** Doors let only well-formed ones in, so the places of version 00 hold. */
function contextOf(traceparent: string): SpanContext | null {
  const [version, traceId, spanId, flags] = traceparent.split("-");
  if (version !== "00" || traceId === undefined || spanId === undefined || flags === undefined) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

function textOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

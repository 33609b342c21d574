import { version } from "#app/version.ts";
import type { Settings } from "#config/settings.ts";
import type { Tracer } from "#ports/tracer.ts";

/** Opens tracing where a collector is named; otherwise nothing of OpenTelemetry is loaded, and the answer is null. */
export async function openTracing(settings: Settings, instanceId: string): Promise<Tracer | null> {
  const { traceUrl, traceHeaders, traceRatio, serviceName } = settings;
  if (traceUrl === null) return null;
  const { openTracer } = await import("#drivers/otel/tracer.ts");
  return openTracer({
    url: `${traceUrl.replace(/\/$/, "")}/v1/traces`,
    headers: headersOf(traceHeaders ?? ""),
    serviceName,
    serviceVersion: version,
    instanceId,
    ratio: traceRatio,
  });
}

/** `name=value,name=value`, values percent-encoded (OpenTelemetry, OTLP exporter; W3C Baggage). */
export function headersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** AWS X-Ray's header, `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`, and W3C Trace Context. */

/** As a traceparent; null when it is not such a header, or names no parent. */
export function traceparentOf(header: string): string | null {
  const root = /Root=1-([0-9a-f]{8})-([0-9a-f]{24})/.exec(header);
  const parent = /Parent=([0-9a-f]{16})/.exec(header)?.[1];
  if (root === null || parent === undefined) return null;
  return `00-${root[1]}${root[2]}-${parent}-${header.includes("Sampled=0") ? "00" : "01"}`;
}

/** A traceparent of version 00 as the header that X-Ray and OpenTelemetry's propagators for AWS read. */
export function traceHeaderOf(traceparent: string): string {
  const [, trace = "", parent = "", flags = ""] = traceparent.split("-");
  const sampled = Number.parseInt(flags, 16) & 1;
  return `Root=1-${trace.slice(0, 8)}-${trace.slice(8)};Parent=${parent};Sampled=${sampled}`;
}

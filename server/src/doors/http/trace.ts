import type { Dice } from "#ports/dice.ts";

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** How a call is told apart: the trace that it belongs to, and its own id. */
export type Trace = { readonly traceparent: string; readonly callId: string };

/**
 * The caller's W3C Trace Context, or a new one when there is none or it is malformed (§3.2: restart the trace). Later
 * versions are read as version 00.
 */
export function traceOf(header: string | string[] | undefined, dice: Dice): Trace {
  if (typeof header === "string" && header.length <= 512 && TRACEPARENT.test(header)) {
    const known = header.startsWith("00-") ? (header.length === 55 ? header : null) : `00${header.slice(2, 55)}`;
    if (known !== null) return { traceparent: known, callId: dice.hex(8) };
  }
  const hex = dice.hex(24);
  const callId = hex.slice(32);
  return { traceparent: `00-${hex.slice(0, 32)}-${callId}-01`, callId };
}

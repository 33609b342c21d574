import { Agent } from "undici";
import { invariant } from "#domain/invariant.ts";
import type { Clock } from "#ports/clock.ts";
import type { WebAnswer, WebCall, WebCaller, WebSignature } from "#ports/web-caller.ts";
import { oneLine, retryAfterMs } from "#providers/webhook/answer.ts";
import { ANSWER_BYTES_MAX, Attempt, type Ended } from "#providers/webhook/attempt.ts";
import { guardedConnector, type Resolve } from "#providers/webhook/guarded-connector.ts";
import { CONNECT_MS_MAX } from "#providers/webhook/provider.ts";
import { sentHeaders } from "#providers/webhook/request.ts";
import { courierSignature, signer } from "#providers/webhook/signature.ts";
import { flawOf } from "#providers/webhook/web-call-flaw.ts";

export type WebCallerOptions = {
  readonly clock: Clock;
  /** Instead of the system's resolver. */
  readonly resolve?: Resolve;
};

/**
 * Signed POSTs to endpoints that others named. Connections are kept apart by whether they may lead inside, so that one
 * that was allowed to is never used for a call that is not. How many calls go to one endpoint is for the caller to bound:
 * endpoints of one host do not wait for each other.
 */
export function openWebCaller({ clock, resolve }: WebCallerOptions): WebCaller {
  const agents = [false, true].map((allowPrivate) => {
    const rest = resolve === undefined ? {} : { resolve };
    const connect = guardedConnector({ allowPrivate, timeoutMs: CONNECT_MS_MAX, ...rest });
    // The whole call has one time limit, ours; undici's own would cut it into parts.
    return new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });
  });
  const [outside, anywhere] = agents;
  return {
    flaw: flawOf,
    post: async (call, signal) => {
      const says = flawOf(call);
      const agent = call.allowPrivate ? anywhere : outside;
      if (says !== null || agent === undefined) return { kind: "forbidden", reason: says ?? "it cannot be called" };
      return await post(agent, call, clock, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(agents.map((agent) => agent.destroy()));
    },
  };
}

async function post(agent: Agent, call: WebCall, clock: Clock, signal: AbortSignal): Promise<WebAnswer> {
  if (signal.aborted) return { kind: "withdrawn", reason: "shutting down", tookMs: 0 };
  const url = new URL(call.url);
  const body = Buffer.from(call.body);
  const beganMs = clock.monotonicMs();
  const attempt = new Attempt(clock, call.timeoutMs, "end");
  const stop = (): void => attempt.withdraw();
  signal.addEventListener("abort", stop);
  agent.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method: "POST",
      headers: headersOf(call, body, clock.nowMs()),
      body,
    },
    attempt,
  );
  const ended = await attempt.ended;
  signal.removeEventListener("abort", stop);
  const tookMs = Math.max(0, Math.round(clock.monotonicMs() - beganMs));
  if (signal.aborted && ended.kind === "silent" && !ended.began) {
    return { kind: "withdrawn", reason: ended.reason, tookMs };
  }
  return answerOf(ended, clock, tookMs);
}

function headersOf({ headers, sign, traceparent }: WebCall, body: Buffer, nowMs: number): string[] {
  const sent = sentHeaders(headers, null);
  invariant(typeof sent !== "string", "headers were looked at before");
  for (const [name, value] of signatureOf(sign, body, nowMs)) sent.set(name, value);
  if (traceparent !== null) sent.set("traceparent", traceparent);
  return [...sent].flat();
}

function signatureOf({ scheme, id, secrets }: WebSignature, body: Buffer, nowMs: number): readonly [string, string][] {
  if (scheme === "courier")
    return [
      ["webhook-id", id],
      ["courier-signature", courierSignature(secrets, nowMs, body)],
    ];
  const seconds = Math.floor(nowMs / 1000);
  return [
    ["webhook-id", id],
    ["webhook-timestamp", String(seconds)],
    ["webhook-signature", signer(secrets)?.(id, seconds, body) ?? ""],
  ];
}

function answerOf(ended: Ended, clock: Clock, tookMs: number): WebAnswer {
  switch (ended.kind) {
    case "answered": {
      const { status, retryAfter, excerpt } = ended;
      const afterMs = retryAfter === null ? null : retryAfterMs(retryAfter, clock.nowMs());
      return { kind: "answered", status, body: oneLine(excerpt, ANSWER_BYTES_MAX), retryAfterMs: afterMs, tookMs };
    }
    case "silent":
      return { kind: "failed", reason: ended.reason, tookMs };
    case "forbidden":
      return ended;
  }
}

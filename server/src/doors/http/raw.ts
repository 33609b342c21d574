import type { FastifyReply, FastifyRequest } from "fastify";
import type { TextAnswer } from "#doors/http/answer.ts";
import { readBody } from "#doors/http/body.ts";
import { hostProblem } from "#doors/http/noise.ts";
import type { RawCall, RawRoute } from "#doors/http/route.ts";
import { type Doorway, goneSignal, instruments, logFault, write } from "#doors/http/serve.ts";
import { type CallTitle, endCall, traceCall } from "#doors/http/trace.ts";

/**
 * Makes the function that answers the calls of a raw route:
 *
 *     closing? ▸ host ▸ handle (which reads the body when it wants it) ▸ write
 *
 * No time limit ends a call that has arrived; it ends when its caller hangs up or the door closes, by `signal`.
 */
export function rawServer(
  route: RawRoute,
  method: string,
  doorway: Doorway,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const { house, budget, closing } = doorway;
  const where = `${method} ${route.path}`;
  const seen = instruments({ method, path: route.path }, house);
  return ({ raw }, reply) => {
    reply.hijack();
    const response = reply.raw;
    doorway.answering.set(raw.socket, response);
    const beganMs = house.clock.monotonicMs();
    const { trace, span } = traceCall(raw.headers["traceparent"], { method, path: route.path }, house);
    let title: CallTitle | null = null;
    const call: RawCall = {
      method: raw.method ?? method,
      url: raw.url ?? "/",
      headers: raw.headers,
      rawHeaders: raw.rawHeaders,
      read: () => readBody(raw, route.bodyBytesMax, budget),
      traceparent: trace.traceparent,
      callId: trace.callId,
      entitle: (known) => (title = known),
      signal: () => goneSignal(response, closing),
    };
    const finish = (answer: TextAnswer): void => {
      write(response, answer, trace, closing.aborted);
      seen(answer.status, house.clock.monotonicMs() - beganMs);
      endCall(span, answer.status, title);
    };
    if (closing.aborted) finish(route.refuse(call, "stopping"));
    else if (hostProblem(raw) !== null) finish(route.refuse(call, "http.malformed"));
    else {
      route.handle(call).then(finish, (fault: unknown) => {
        finish(route.refuse(call, logFault(fault, where, trace, house)));
      });
    }
  };
}

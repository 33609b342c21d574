import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { BODY_BYTES_IN_FLIGHT_MAX, SWALLOWED_BYTES_MAX } from "#doors/http/limits.ts";
import { OVERLOAD_RETRY_AFTER_MS } from "#engine/limits.ts";
import { overloaded, refusal, type TextAnswer } from "#doors/http/answer.ts";
import type { FaultCode } from "#domain/problem.ts";

/** A body, or the refusal that goes back instead of it: why, and in the form of the JSON routes. */
export type BodyRead = { readonly ok: true; readonly bytes: Buffer } | NoBody;

type NoBody = { readonly ok: false; readonly code: FaultCode; readonly answer: TextAnswer };

/** How much of all the bodies on their way in is in memory now. */
export type BodyBudget = { bytes: number };

const EMPTY = Buffer.alloc(0);

/**
 * Reads a whole body. What is too large is swallowed up to a bound before the answer, because a client that is still
 * writing when the connection closes never reads why.
 */
export function readBody(request: IncomingMessage, bytesMax: number, budget: BodyBudget): Promise<BodyRead> {
  const declared = Number(request.headers["content-length"] ?? Number.NaN);
  if (declared === 0) return Promise.resolve({ ok: true, bytes: EMPTY });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let refused: NoBody | null =
      declared > bytesMax
        ? tooLarge(bytesMax)
        : budget.bytes + (Number.isNaN(declared) ? 0 : declared) > BODY_BYTES_IN_FLIGHT_MAX
          ? TOO_MANY
          : null;
    let held = 0;
    const end = (read: BodyRead): void => {
      budget.bytes -= held;
      held = 0;
      request.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
      resolve(read);
    };
    const refuse = (why: NoBody): void => {
      budget.bytes -= held;
      held = 0;
      chunks.length = 0;
      refused = why;
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (refused !== null) {
        if (bytes > bytesMax + SWALLOWED_BYTES_MAX) end(refused);
        return;
      }
      if (bytes > bytesMax) refuse(tooLarge(bytesMax));
      else if (budget.bytes + chunk.length > BODY_BYTES_IN_FLIGHT_MAX) refuse(TOO_MANY);
      else {
        held += chunk.length;
        budget.bytes += chunk.length;
        chunks.push(chunk);
      }
    };
    const onEnd = (): void => {
      if (refused !== null) end(refused);
      // Node copies each chunk out of the socket's buffer, so a single one may be kept as it is.
      else end({ ok: true, bytes: chunks.length === 1 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks, bytes) });
    };
    const onBroken = (): void => {
      end(refused ?? CUT_SHORT);
    };
    request.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  });
}

/** UTF-8 or nothing: a replacement character would change what was said (RFC 3629 §3). A byte order mark is skipped. */
export function decodeText(bytes: Buffer): string | null {
  if (!isUtf8(bytes)) return null;
  const skip = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return bytes.toString("utf8", skip);
}

const TOO_MANY: NoBody = { ok: false, code: "overloaded", answer: overloaded(OVERLOAD_RETRY_AFTER_MS) };
const CUT_SHORT: NoBody = {
  ok: false,
  code: "request.malformed",
  answer: refusal("request.malformed", "The connection ended before the body did."),
};

function tooLarge(bytesMax: number): NoBody {
  const answer = refusal(
    "request.too_large",
    `The body is larger than ${Math.floor(bytesMax / (1024 * 1024))} MB (${bytesMax} bytes).`,
    { connection: "close" },
  );
  return { ok: false, code: "request.too_large", answer };
}

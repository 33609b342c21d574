import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { refusal, type TextAnswer } from "#doors/http/answer.ts";

/** The response that a connection is working on, or was last. */
export type Answering = WeakMap<Duplex, ServerResponse>;

/** Every method that some path answers. */
export const ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/**
 * What cannot be read as HTTP gets an answer if the socket still takes one, and the connection ends. An answer that is
 * under way goes first: noise behind a send must not look like the answer to it.
 */
export function noiseAnswerer(answering: Answering): (error: NoiseError, socket: Duplex) => void {
  const condemned = new WeakSet<Duplex>();
  return (error, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    if (condemned.has(socket)) return;
    condemned.add(socket);
    const answer = answerTo(error);
    const response = answering.get(socket);
    if (response === undefined || response.writableEnded || !response.req.complete) hangUp(socket, answer);
    // A stream of events has begun already, and nothing else can be said on it.
    else if (response.headersSent) socket.destroy();
    else response.once("finish", () => hangUp(socket, answer));
  };
}

type NoiseError = Error & { readonly code?: string };

function answerTo({ code }: NoiseError): TextAnswer {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return refusal("http.head_too_large", "Path and headers of this call are too long.");
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refusal("http.too_slow", "This call took too long to arrive.");
    default:
      return refusal("http.malformed", "This is not a call that HTTP/1.1 knows, or it can be read in two ways.");
  }
}

/** For whoever takes this for a proxy. */
export function answerToConnect(_request: IncomingMessage, socket: Duplex): void {
  hangUp(socket, refusal("route.method", `This is no proxy; its paths answer ${ALLOWED}.`, { allow: ALLOWED }));
}

const NO_HOST = refusal("http.malformed", "A call in HTTP/1.1 names one host.", { connection: "close" });

/** A call needs exactly one host (RFC 9112 §3.2), however little we care which; only HTTP/1.0 knew none. */
export function hostProblem({ headers, httpVersion }: IncomingMessage): TextAnswer | null {
  const { host } = headers;
  // Headers given twice come joined.
  const fine = host === undefined ? httpVersion === "1.0" : !host.includes(", ");
  return fine ? null : NO_HOST;
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** Says a last word, without what makes an answer in quieter times. */
function hangUp(socket: Duplex, { status, type, body, headers = {} }: TextAnswer): void {
  if (!socket.writable) return;
  const head = { ...headers, "content-type": type, "content-length": String(Buffer.byteLength(body ?? "")) };
  const lines = Object.entries({ ...head, connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}\r\n${lines.join("")}\r\n${body ?? ""}`);
}

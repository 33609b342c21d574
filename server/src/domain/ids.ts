declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** One accepted call. `1-` + 8 hex of epoch seconds + `-` + 24 random hex (AWS X-Ray's form, which Courier uses). */
export type RequestId = Branded<"request">;
/** One notification to one recipient: the request's id when it had one recipient, `<request>:<recipient>` otherwise. */
export type MessageId = Branded<"message">;

const REQUEST_ID = /^1-[0-9a-f]{8}-[0-9a-f]{24}$/;
/** Longest message id: a request id, a colon, and a user id at its limit (`USER_ID_CHARS_MAX`, percent-encoded). */
const MESSAGE_ID_CHARS_MAX = 36 + 3 * 256;

/** Makes a request id; ids made in the same second sort together, which keeps index writes at the end of the tree. */
export function newRequestId(nowMs: number, random24: string): RequestId {
  const seconds = Math.floor(nowMs / 1000)
    .toString(16)
    .padStart(8, "0");
  return `1-${seconds}-${random24}` as RequestId;
}

/** Reads an id that came from outside; null when it cannot be one. */
export function parseRequestId(text: string): RequestId | null {
  return REQUEST_ID.test(text) ? (text as RequestId) : null;
}

export function parseMessageId(text: string): MessageId | null {
  if (text.length > MESSAGE_ID_CHARS_MAX || parseRequestId(text.slice(0, 35)) === null) return null;
  return text.length === 35 || text[35] === ":" ? (text as MessageId) : null;
}

/** The message of a request with exactly one recipient. */
export function soleMessageId(request: RequestId): MessageId {
  return request as string as MessageId;
}

/** One of a request's many messages. The same recipient gives the same id, so nobody is written to twice. */
export function memberMessageId(request: RequestId, recipientKey: string): MessageId {
  return `${request}:${recipientKey}` as MessageId;
}

export function requestOf(message: MessageId): RequestId {
  return message.slice(0, 35) as RequestId;
}

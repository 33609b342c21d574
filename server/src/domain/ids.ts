declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/**
 * One accepted call. `1-` + 8 hex of epoch seconds + `-` + 24 hex (AWS X-Ray's form, which Courier uses), of which the
 * first three are the millisecond and the rest is chance.
 */
export type RequestId = Branded<"request">;
/** One notification to one recipient: the request's id when it had one recipient, `<request>:<recipient>` otherwise. */
export type MessageId = Branded<"message">;

const REQUEST_ID = /^1-[0-9a-f]{8}-[0-9a-f]{24}$/;
/** Longest message id: a request id, a colon, and a user id at its limit (`USER_ID_CHARS_MAX`, percent-encoded). */
const MESSAGE_ID_CHARS_MAX = 36 + 3 * 256;

/**
 * Makes a request id, which sorts by its millisecond: the ids of one commit lie side by side in every index that begins
 * with them, so that it writes few pages, however many messages it holds.
 *
 * @param random24 hex digits; the first three make room for the millisecond, 84 bits of chance remain.
 */
export function newRequestId(nowMs: number, random24: string): RequestId {
  const ms = Math.floor(nowMs);
  const seconds = hex(Math.floor(ms / 1_000), 8);
  return `1-${seconds}-${hex(ms % 1_000, 3)}${random24.slice(3)}` as RequestId;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
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

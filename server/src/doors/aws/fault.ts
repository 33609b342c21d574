import { ACTION_SCOPES } from "#doors/aws/service.ts";
import type { FaultCode } from "#domain/problem.ts";

/** A refusal in AWS' words. Both names reach programs, so both must be right. */
export class AwsFault {
  /** The shape's name in JSON (`__type` behind the `#`). */
  readonly type: string;
  /** The older code: in XML, and in `x-amzn-query-error`. */
  readonly code: string;
  readonly status: number;
  readonly message: string;

  constructor(type: string, code: string, status: number, message: string) {
    this.type = type;
    this.code = code;
    this.status = status;
    this.message = message;
  }
}

/** Whose fault it is, as AWS says it; SDKs repeat a call only when it is ours. */
export function blameOf({ status }: AwsFault): "Sender" | "Receiver" {
  return status < 500 ? "Sender" : "Receiver";
}

export const UNSIGNED = new AwsFault(
  "MissingAuthenticationTokenException",
  "MissingAuthenticationToken",
  403,
  "Request is missing Authentication Token",
);

export const UNKNOWN_KEY = new AwsFault(
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  403,
  "The security token included in the request is invalid.",
);

export function incompleteSignature(message: string): AwsFault {
  return new AwsFault("IncompleteSignatureException", "IncompleteSignature", 400, message);
}

export function badSignature(message: string): AwsFault {
  return new AwsFault("InvalidSignatureException", "SignatureDoesNotMatch", 403, message);
}

/** The key is good, but not for this. */
export function accessDenied(action: string, scopes: readonly string[]): AwsFault {
  const wanted = [...scopes, ...ACTION_SCOPES.full].map((scope) => `"${scope}"`);
  const says = `This key may not call ${action}; it lacks the scope ${[...new Set(wanted)].join(" or ")}.`;
  return new AwsFault("AccessDeniedException", "AccessDenied", 403, says);
}

export function unknownAction(action: string): AwsFault {
  const says =
    action === ""
      ? "The request must contain the parameter Action, or the header X-Amz-Target."
      : `The action ${action.slice(0, 100)} is not valid for this endpoint.`;
  return new AwsFault("UnknownOperationException", "InvalidAction", 400, says);
}

/** JSON that cannot be read, or a member of another type than it should have. */
export function unreadable(message: string): AwsFault {
  return new AwsFault("SerializationException", "SerializationException", 400, message);
}

/** A form that cannot be read. */
export function badForm(message: string): AwsFault {
  return new AwsFault("MalformedQueryString", "MalformedQueryString", 400, message);
}

/** Nothing was kept, or nobody knows: SDKs repeat the call by themselves. */
export function unavailable(message: string): AwsFault {
  return new AwsFault("ServiceUnavailable", "ServiceUnavailable", 503, message);
}

/** What this door says when the call did not come to an action; the codes are the house's. */
export function faultOf(code: FaultCode): AwsFault {
  switch (code) {
    case "request.too_large":
      return new AwsFault("RequestEntityTooLarge", "RequestEntityTooLarge", 413, "The request is too large.");
    case "overloaded":
      return unavailable("The server has more to store than it can; nothing of this call was kept.");
    case "stopping":
      return unavailable("The server is shutting down.");
    case "store.unavailable":
      return unavailable("The store cannot do this now; the call may be repeated.");
    case "request.malformed":
      return unreadable("The request ended before its body did.");
    case "http.malformed":
      return incompleteSignature("A request names one Host.");
    default:
      return new AwsFault("InternalFailure", "InternalFailure", 500, "Something went wrong on our side; see the log.");
  }
}

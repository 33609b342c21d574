import { AwsFault, blameOf } from "#doors/aws/fault.ts";
import type { AwsAction, AwsService } from "#doors/aws/service.ts";
import { xmlText } from "#doors/aws/xml.ts";
import type { TextAnswer } from "#doors/http/answer.ts";

/** Which of the two a caller speaks; answers and refusals go back in the same. */
export type Protocol = "json" | "query";

/** What an action gave, or why it did not, in the caller's protocol. */
export function answerOf(
  service: AwsService,
  protocol: Protocol,
  action: AwsAction,
  result: object | AwsFault,
  requestId: string,
): TextAnswer {
  if (result instanceof AwsFault) return refusalOf(service, protocol, result, requestId);
  return protocol === "json" ? jsonAnswer(service, result, requestId) : xmlAnswer(service, action, result, requestId);
}

export function refusalOf(service: AwsService, protocol: Protocol, fault: AwsFault, requestId: string): TextAnswer {
  return protocol === "json" ? jsonRefusal(service, fault, requestId) : xmlRefusal(service, fault, requestId);
}

function jsonAnswer({ jsonType }: AwsService, result: object, requestId: string): TextAnswer {
  const headers = { [REQUEST_ID]: requestId };
  return { kind: "text", status: 200, type: jsonType, body: JSON.stringify(result), headers };
}

/** SDKs that once spoke Query find their old code in a header. */
function jsonRefusal(service: AwsService, fault: AwsFault, requestId: string): TextAnswer {
  const body = JSON.stringify({ __type: service.namespace + fault.type, message: fault.message });
  const headers: Record<string, string> = { [REQUEST_ID]: requestId, ...furtherHeaders(fault) };
  if (service.xmlns === null) headers["x-amzn-ErrorType"] = fault.type;
  else headers["x-amzn-query-error"] = `${fault.code};${blameOf(fault)}`;
  return { kind: "text", status: fault.status, type: service.jsonType, body, headers };
}

function xmlAnswer({ xmlns }: AwsService, { name, toXml }: AwsAction, result: object, requestId: string): TextAnswer {
  const inner = toXml === null ? "" : `<${name}Result>${toXml(result)}</${name}Result>`;
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
  const body = `${XML_HEAD}<${name}Response xmlns="${xmlns}">${inner}${metadata}</${name}Response>`;
  return { kind: "text", status: 200, type: XML_TYPE, body, headers: { [REQUEST_ID]: requestId } };
}

function xmlRefusal({ xmlns }: AwsService, fault: AwsFault, requestId: string): TextAnswer {
  const { code, message } = fault;
  const error = `<Error><Type>${blameOf(fault)}</Type><Code>${xmlText(code)}</Code><Message>${xmlText(message)}</Message><Detail/></Error>`;
  const body = `${XML_HEAD}<ErrorResponse xmlns="${xmlns}">${error}<RequestId>${requestId}</RequestId></ErrorResponse>`;
  const headers = { [REQUEST_ID]: requestId, ...furtherHeaders(fault) };
  return { kind: "text", status: fault.status, type: XML_TYPE, body, headers };
}

/** When to come again; and whoever still sends a body that is too large shall not use the connection again. */
function furtherHeaders({ status }: AwsFault): Readonly<Record<string, string>> | undefined {
  if (status === 413) return { connection: "close" };
  return status === 503 ? { "retry-after": "1" } : undefined;
}

const REQUEST_ID = "x-amzn-RequestId";
const XML_TYPE = "text/xml";
const XML_HEAD = '<?xml version="1.0"?>\n';

import { answerOf, type Protocol, refusalOf } from "#doors/aws/answers.ts";
import { headerValues, type SignedRequest } from "#doors/aws/canonical.ts";
import { accessDenied, AwsFault, badForm, faultOf, unknownAction, unreadable } from "#doors/aws/fault.ts";
import { FormField, readForm } from "#doors/aws/form.ts";
import { type Gatekeeper, type Known, openGatekeeper } from "#doors/aws/gatekeeper.ts";
import type { AwsAction, AwsCall, AwsService, Ready } from "#doors/aws/service.ts";
import { SERVICES, SQS } from "#doors/aws/services.ts";
import type { Trouble } from "#doors/aws/shape.ts";
import type { TextAnswer } from "#doors/http/answer.ts";
import { decodeText } from "#doors/http/body.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { readJson } from "#doors/http/json-text.ts";
import { openKeyring } from "#doors/http/keyring.ts";
import type { RawCall, Routes } from "#doors/http/route.ts";
import type { SpanAttributes } from "#ports/tracer.ts";

/**
 * The door of AWS' clients: one path, two services, two protocols.
 *
 *     service, protocol ▸ signature ▸ body ▸ action ▸ scope ▸ input ▸ run ▸ answer
 *
 * SDKs call the path itself; older ones that of a queue's URL, below it.
 */
export function registerAws(routes: Routes, house: HttpHouse): void {
  const gatekeeper = openGatekeeper(house, openKeyring(house));
  routes.raw({
    path: AWS_PATH,
    methods: ["GET", "POST"],
    bodyBytesMax: AWS_BODY_BYTES_MAX,
    handle: async (call) => {
      const spoken = spokenIn(call);
      if (spoken instanceof AwsFault) return refusalOf(SQS, "json", spoken, requestIdOf(house));
      return await serve(call, spoken, house, gatekeeper);
    },
    refuse: (call, code) => {
      const spoken = spokenIn(call);
      const { service, protocol } = spoken instanceof AwsFault ? { service: SQS, protocol: "json" as const } : spoken;
      return refusalOf(service, protocol, faultOf(code), requestIdOf(house));
    },
  });
}

/** Where SDKs find us: `http://host:port/aws`. */
export const AWS_PATH = "/aws";
/**
 * Largest body: a full batch or PutEvents of 1 MiB, which percent-encoding and JSON's escapes can triple, and what stands
 * around it.
 */
export const AWS_BODY_BYTES_MAX = 3 * 1024 * 1024 + 256 * 1024;

/** In which service and protocol a call is made; `action` is known from the head in JSON only. */
type Spoken = { readonly service: AwsService; readonly protocol: Protocol; readonly action: string | null };

function spokenIn({ headers }: RawCall): Spoken | AwsFault {
  const target = headers["x-amz-target"];
  if (typeof target === "string") {
    const dot = target.indexOf(".");
    const service = SERVICES.get(target.slice(0, dot));
    return service === undefined ? unknownAction(target) : { service, protocol: "json", action: target.slice(dot + 1) };
  }
  if (headers["content-type"]?.startsWith("application/x-amz-json") === true) return unknownAction("");
  return { service: SQS, protocol: "query", action: null };
}

async function serve(call: RawCall, spoken: Spoken, house: HttpHouse, gatekeeper: Gatekeeper): Promise<TextAnswer> {
  const { service, protocol } = spoken;
  const requestId = requestIdOf(house);
  const refuse = (fault: AwsFault): TextAnswer => refusalOf(service, protocol, fault, requestId);

  const request = requestOf(call);
  const admitted = await gatekeeper.admit(request, service.name);
  if (admitted instanceof AwsFault) return refuse(admitted);
  const body = await call.read();
  if (!body.ok) return refuse(faultOf(body.code));
  const known = admitted(body.bytes);
  if (known instanceof AwsFault) return refuse(known);

  const read = protocol === "json" ? readJsonInput(spoken, body.bytes) : readFormInput(service, request, body.bytes);
  if (read instanceof AwsFault) return refuse(read);
  const { action, ready } = read;
  const about = titled(call, service, action, requestId);
  const { caller } = known;
  if (!caller.scopes.includes("full") && !action.scopes.some((scope) => caller.scopes.includes(scope))) {
    return refuse(accessDenied(action.name, action.scopes));
  }
  if ("trouble" in ready) return refuse(troubleOf(ready, service, protocol));
  const result = await ready(callOf(call, request, { house, known, requestId, protocol, about }));
  return answerOf(service, protocol, action, result, requestId);
}

/** Gives the call's span a name, and returns what adds to it (semantic conventions for the AWS SDK). */
function titled(call: RawCall, { title }: AwsService, { name }: AwsAction, requestId: string): AwsCall["about"] {
  const attributes = {
    "rpc.system": "aws-api",
    "rpc.service": title,
    "rpc.method": name,
    "aws.request_id": requestId,
  };
  const entitle = (more: SpanAttributes): void =>
    call.entitle({ name: `${title}.${name}`, attributes: { ...attributes, ...more } });
  entitle({});
  return entitle;
}

type Read = { readonly action: AwsAction; readonly ready: Ready };

function readJsonInput({ service, action: name }: Spoken, bytes: Buffer): Read | AwsFault {
  const action = service.actions.get(name ?? "");
  if (action === undefined) return unknownAction(name ?? "");
  const text = decodeText(bytes);
  if (text === null) return unreadable("The body is not valid UTF-8.");
  // An action without input is sometimes sent without a body.
  const json = text === "" ? NO_INPUT : readJson(text);
  return json.ok ? { action, ready: action.fromJson(json.value) } : unreadable(json.says);
}

const NO_INPUT = { ok: true, value: {} } as const;

/** Fields may stand in the body, in the query, or in both. */
function readFormInput({ actions }: AwsService, { query }: SignedRequest, bytes: Buffer): Read | AwsFault {
  const fields = new FormField();
  const text = decodeText(bytes);
  if (text === null) return badForm("The body is not valid UTF-8.");
  const says = readForm(text, fields) ?? (query === "" ? null : readForm(query, fields));
  if (says !== null) return badForm(says);
  const name = fields.child("Action")?.value ?? "";
  const action = actions.get(name);
  return action === undefined ? unknownAction(name) : { action, ready: action.fromForm(fields) };
}

function troubleOf({ trouble, at, says }: Trouble, service: AwsService, protocol: Protocol): AwsFault {
  if (trouble === "missing") return service.missing(at);
  return protocol === "json" ? unreadable(`${at === "" ? "The body" : at} ${says}.`) : service.invalid(at, says);
}

function requestOf({ method, url, rawHeaders }: RawCall): SignedRequest {
  const mark = url.indexOf("?");
  const [path, query] = mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
  return { method, path, query, headers: headerValues(rawHeaders) };
}

function callOf(
  call: RawCall,
  request: SignedRequest,
  rest: Pick<AwsCall, "about"> & { house: HttpHouse; known: Known; requestId: string; protocol: Protocol },
): AwsCall {
  const { house, known, requestId, protocol, about } = rest;
  return {
    house,
    caller: known.caller,
    region: known.region,
    requestId,
    traceparent: call.traceparent,
    baseUrl: () => baseUrlOf(request, house),
    pathQueue: queueInPath(request.path),
    isQuery: protocol === "query",
    about,
    signal: call.signal,
  };
}

/**
 * As the caller reached us, which is what later calls will reach too. A host behind which TLS ends is known by the public
 * URL; signatures cover the host, so a proxy has not changed it.
 */
function baseUrlOf({ headers }: SignedRequest, { settings }: HttpHouse): string {
  const host = headers.get("host")?.[0] ?? "";
  const { publicUrl } = settings.aws;
  if (publicUrl !== null && (host === "" || new URL(publicUrl).host === host)) return publicUrl + AWS_PATH;
  return `http://${host}${AWS_PATH}`;
}

/** `/aws/000000000000/orders` names a queue. */
function queueInPath(path: string): string | null {
  return /^\/aws\/\d{12}\/([^/]+)\/?$/.exec(path)?.[1] ?? null;
}

/** A UUID in form; SDKs show it in errors. */
function requestIdOf({ dice }: HttpHouse): string {
  const hex = dice.hex(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

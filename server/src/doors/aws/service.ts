import type { AwsFault } from "#doors/aws/fault.ts";
import type { FormField } from "#doors/aws/form.ts";
import {
  type Given,
  jsonReader,
  formReader,
  type Put,
  type Structure,
  type Trouble,
  type Value,
} from "#doors/aws/shape.ts";
import { xmlWriter } from "#doors/aws/xml.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Caller } from "#doors/http/route.ts";
import type { SpanAttributes } from "#ports/tracer.ts";

/**
 * One of AWS' services, as this door serves it: a table of actions, and how the service speaks. To add one, write its
 * actions with {@link action} and name the service in `doors/aws/services.ts`.
 */
export type AwsService = {
  /** As credential scopes name it. */
  readonly name: "sqs" | "events";
  /** As AWS' clients call it, for traces. */
  readonly title: "SQS" | "EventBridge";
  /** What stands before the dot in `X-Amz-Target`. */
  readonly target: string;
  /** Content type of JSON answers. */
  readonly jsonType: string;
  /** Stands before the name in `__type`. */
  readonly namespace: string;
  /** Namespace of XML answers; null: the service does not speak the Query protocol. */
  readonly xmlns: string | null;
  readonly actions: ReadonlyMap<string, AwsAction>;
  /** A member that must be there is not; `member` is its path, such as `Entries.1.Id`. */
  readonly missing: (member: string) => AwsFault;
  /** A value in a form is not what it should be. */
  readonly invalid: (member: string, says: string) => AwsFault;
};

/** One action, its types forgotten: it reads its input in either protocol and is then ready to run. */
export type AwsAction = {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly fromJson: (value: unknown) => Ready;
  readonly fromForm: (fields: FormField) => Ready;
  /** What stands within `<ActionResult>`; null: the action has no result. */
  readonly toXml: ((output: object) => string) | null;
};

/** Input that was read, or what is wrong with it. */
export type Ready = Trouble | ((call: AwsCall) => Promise<object | AwsFault>);

/** Who calls, and how. */
export type AwsCall = {
  readonly house: HttpHouse;
  readonly caller: Caller;
  readonly requestId: string;
  readonly traceparent: string;
  /** Of the credential scope; ARNs in the answer are written with it. */
  readonly region: string;
  /** What stands before `/<account>/<queue>` in queue URLs. */
  readonly baseUrl: () => string;
  /** The queue that the path of the call names, as older SDKs do; null: none. */
  readonly pathQueue: string | null;
  /** The older protocol words one fault differently. */
  readonly isQuery: boolean;
  /** Adds to what traces show of the call. */
  readonly about: (attributes: SpanAttributes) => void;
  /** Aborted when the caller has gone or the door closes. */
  readonly signal: () => AbortSignal;
};

/** Keys with one of these scopes may call; `full` may always. */
export const ACTION_SCOPES = { send: ["send"], read: ["read"], find: ["send", "read"], full: ["full"] } as const;

/** Compiles an action, once, when the door is built. `output` null: nothing is answered but that it is done. */
export function action<In extends Structure, Out extends Structure>(it: {
  readonly name: string;
  readonly scope: keyof typeof ACTION_SCOPES;
  readonly input: In;
  readonly output: Out | null;
  /** Refusals are returned; a StoreFault may be thrown. */
  readonly run: (input: Value<In>, call: AwsCall) => Promise<Put<Out> | AwsFault>;
}): AwsAction {
  const readJson = jsonReader(it.input);
  const readForm = formReader(it.input);
  const ready = (read: Given<In>): Ready => ("trouble" in read ? read : (call) => it.run(read.value, call));
  return {
    name: it.name,
    scopes: ACTION_SCOPES[it.scope],
    fromJson: (value) => ready(readJson(value)),
    fromForm: (fields) => ready(readForm(fields)),
    toXml: it.output === null ? null : xmlWriter(it.output),
  };
}

/** A table of actions by name. */
export function tableOf(actions: readonly AwsAction[]): ReadonlyMap<string, AwsAction> {
  return new Map(actions.map((one) => [one.name, one]));
}

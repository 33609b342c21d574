import type { TriggerSpec } from "tidings";
import type { Gap } from "#cli/serverless/yaml-tree.ts";
import type { Json, JsonObject } from "#domain/json.ts";

/** A file of the functions' folder that is to be. */
export type PlannedFunction = {
  /** Its path below the folder, without `.ts`. */
  readonly path: string;
  /** What was called: `handlers/worker.default`; "" when the file did not say. */
  readonly was: string;
  readonly line: number;
  readonly on: TriggerSpec;
  /** What whoever writes it should know of its trigger. */
  readonly notes: readonly string[];
  readonly options: FunctionNumbers;
};

export type FunctionNumbers = {
  readonly timeoutMs?: number;
  readonly concurrency?: number;
  readonly attempts?: number;
  readonly memoryMb?: number;
};

/** A queue as `PUT /queues/NAME` takes it. */
export type PlannedQueue = { readonly name: string; readonly body: JsonObject };

export type PlannedCollection = {
  /** By which code names it. */
  readonly identifier: string;
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: "string" | "number" }[];
  readonly indexes: readonly string[];
  /** How a document's id is made. */
  readonly id: string;
};

/** A rule as a file for `tidings rules apply` has it. */
export type PlannedRule = { readonly name: string; readonly rule: JsonObject };

/** A setting's value, or the variable of the environment that has it. */
export type PlannedSetting =
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "env"; readonly variable: string; readonly otherwise: string }
  /** Its value is never written down. */
  | { readonly kind: "secret"; readonly variable: string };

/** What a project is made of that does what a `serverless.yml` did. */
export type Plan = {
  readonly service: string;
  readonly functions: readonly PlannedFunction[];
  readonly queues: readonly PlannedQueue[];
  readonly collections: readonly PlannedCollection[];
  readonly rules: readonly PlannedRule[];
  readonly settings: ReadonlyMap<string, PlannedSetting>;
  /** By line. */
  readonly gaps: readonly Gap[];
};

export { collection, type Collection } from "./collection.ts";
export { defineConfig, env, type FunctionsConfig, type TidingsConfig } from "./config.ts";
export type {
  Context,
  Documents,
  DocumentsPage,
  InvocationInfo,
  ListSubscription,
  Log,
  PutOptions,
  QueryOptions,
  QueueSendOptions,
  RaisedEvent,
  Stored,
} from "./context.ts";
export { type DefinedFunction, defineFunction, type FunctionDefinition, type FunctionOptions } from "./define.ts";
export type {
  BlobInput,
  EventInput,
  HttpInput,
  HttpOutput,
  QueueMessage,
  QueueOutput,
  ScheduleInput,
  StreamEvent,
} from "./inputs.ts";
export type { Json, JsonObject } from "./json.ts";
export {
  blob,
  event,
  http,
  type HttpMethod,
  type HttpOptions,
  queue,
  type QueueOptions,
  schedule,
  type ScheduleWhen,
  stream,
  type StreamOptions,
  type Trigger,
  type TriggerKind,
  type TriggerSpec,
} from "./triggers.ts";

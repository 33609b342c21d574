import type { Json } from "tidings";
import type { CallAsk, CallEnd, CallError, CallReads, LogLine } from "tidings/run";
import type { Declaration } from "tidings/load";

/** What a thread of handlers is started with. */
export type ThreadData = {
  readonly kind: "run";
  readonly name: string;
  /** URL of the function's file. */
  readonly url: string;
  readonly root: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, Json>>;
};

/** What the thread that reads all files is started with. */
export type LoadData = { readonly kind: "load"; readonly files: readonly LoadFile[] };
export type LoadFile = { readonly name: string; readonly url: string };

export type ToThread =
  | { readonly kind: "call"; readonly number: number; readonly ask: CallAsk }
  | { readonly kind: "abort"; readonly number: number; readonly why: "timeout" | "stopping" }
  | { readonly kind: "answer"; readonly read: number; readonly value: unknown; readonly error: string | null }
  | { readonly kind: "ping"; readonly number: number };

export type FromThread =
  | { readonly kind: "ready" }
  | { readonly kind: "unloadable"; readonly error: CallError }
  | { readonly kind: "ended"; readonly number: number; readonly end: CallEnd }
  | {
      readonly kind: "read";
      readonly read: number;
      readonly call: number;
      readonly what: keyof CallReads;
      readonly with: readonly unknown[];
    }
  | { readonly kind: "pong"; readonly number: number }
  /** Logged outside of a call. */
  | { readonly kind: "log"; readonly line: LogLine };

export type FromLoader =
  | { readonly kind: "reading"; readonly name: string }
  | { readonly kind: "read"; readonly name: string; readonly read: ReadFile }
  | {
      readonly kind: "done";
      readonly collections: readonly { readonly name: string; readonly indexes: readonly string[] }[];
      /** URLs of all files that were read, but for those of packages. */
      readonly sources: readonly string[];
    };

/** `module`: it has no default export, so it is shared code. */
export type ReadFile =
  | { readonly kind: "function"; readonly declaration: Declaration }
  | { readonly kind: "module" }
  | { readonly kind: "fault"; readonly says: string; readonly line: number | null };

import type { TriggerSpec } from "tidings";
import type { CallEnd, CallError, CallReads, LogLine } from "tidings/run";

export type {
  Emitted,
  EmittedDocument,
  EmittedEvent,
  EmittedQueueMessage,
  EmittedSend,
  LogLine,
  ReadDocument,
  ReadQuery,
} from "tidings/run";

/**
 * Where users' functions are loaded and called: apart from us, so that one that loops, leaks or crashes harms nobody. The
 * host calls handlers and gathers what they emit; it changes nothing. Whoever asked commits what was gathered.
 */
export interface FunctionHost extends AsyncDisposable {
  /**
   * Reads all functions anew and tells what they declare. What is loaded before goes on until `use` says otherwise. Never
   * rejects: what cannot be loaded is a fault.
   */
  load(): Promise<LoadedFunctions>;
  /**
   * From now on calls go to the code of this load; calls under way end in the code where they began. Functions of `keep` go on
   * with the code that they have, for as long as their threads live: their files cannot be loaded any more.
   */
  use(loaded: LoadedFunctions, keep?: ReadonlySet<string>): void;
  /**
   * Calls a handler. Resolves with what came of it, about a second after its timeout at the latest, and never rejects for
   * what the handler does. An aborted `signal` tells the handler's own, and does not end it before its time.
   */
  invoke(call: Invocation, reads: FunctionReads, signal: AbortSignal): Promise<Invoked>;
  /** Told when files of the functions have changed; how to stop being told. A host that cannot watch never tells. */
  onChanged(listener: () => void): () => void;
}

export type LoadedFunctions = {
  /** Names this load in `use`. */
  readonly generation: number;
  readonly functions: readonly DeclaredFunction[];
  readonly collections: readonly DeclaredCollection[];
  /** Files that could not be loaded, or declare what cannot be. The others are fine. */
  readonly faults: readonly LoadFault[];
};

/** What one file declares, defaults filled in and ranges checked. */
export type DeclaredFunction = {
  /** Of its file: letters, digits, `-`, `_`, and a dot between folders. */
  readonly name: string;
  /** Seen from where the program was started, with `/`. */
  readonly file: string;
  readonly line: number;
  readonly on: TriggerSpec;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly attempts: number;
  readonly memoryMb: number;
};

export type DeclaredCollection = { readonly name: string; readonly indexes: readonly string[] };

/** `says`: a sentence for who wrote the file. `name`: of the function that it would be. */
export type LoadFault = {
  readonly name: string;
  readonly file: string;
  readonly line: number | null;
  readonly says: string;
};

export type Invocation = {
  /** Of this try. */
  readonly id: string;
  readonly declared: DeclaredFunction;
  /** The same at every try. */
  readonly key: string;
  /** 1 at the first try. */
  readonly attempt: number;
  /** JSON text of what the handler is given (`inputs.ts` of the package); a blob's has `blobId` in place of its methods. */
  readonly input: string;
  /** 20 hex digits, from which ids that the handler learns at once are made. */
  readonly idSeed: string;
  readonly traceparent: string | null;
  /** Suspected of having ended a thread: it is called in a thread where nothing else runs. */
  readonly alone: boolean;
};

/** What handlers may read while they run, at most a page at a time; what it throws is thrown in the handler. */
export type FunctionReads = CallReads;

export type Invoked =
  | CallEnd
  /** It was never begun, or its thread was ended and nobody knows by whom: to be tried again, alone. */
  | { readonly kind: "innocent"; readonly error: InvocationError; readonly logs: readonly LogLine[] };

export type InvocationError = CallError;

import type { Json, DefinedFunction } from "tidings";
import { beginCall, blankOf } from "tidings/run";
import { collectionsSeen, readDeclaration } from "tidings/load";
import type { Clock } from "#ports/clock.ts";
import type {
  DeclaredFunction,
  FunctionHost,
  FunctionReads,
  Invocation,
  Invoked,
  LoadedFunctions,
  LoadFault,
} from "#ports/function-host.ts";

export type InlineFunctions = {
  readonly functions: Readonly<Record<string, DefinedFunction>>;
  readonly clock: Clock;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, Json>>;
};

/**
 * Functions in the calling thread, by the clock that is given: for tests and simulations, where time is virtual and
 * everything happens in one order. Nothing ends a handler that loops.
 */
export function inlineHost({ functions, clock, secrets = {}, settings = {} }: InlineFunctions): FunctionHost {
  return {
    load: () => Promise.resolve(declare(functions)),
    use: () => {},
    invoke: (call, reads, signal) => invoke(call, { reads, signal, functions, clock, secrets, settings }),
    onChanged: () => () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function declare(functions: InlineFunctions["functions"]): LoadedFunctions {
  const declared: DeclaredFunction[] = [];
  const faults: LoadFault[] = [];
  for (const [name, defined] of Object.entries(functions)) {
    const file = `functions/${name.replaceAll(".", "/")}.ts`;
    const one = readDeclaration(defined);
    if ("says" in one) faults.push({ name, file, line: null, says: one.says });
    else declared.push({ name, file, ...one });
  }
  return { generation: 1, functions: declared, collections: collectionsSeen(), faults };
}

type Place = Required<InlineFunctions> & { readonly reads: FunctionReads; readonly signal: AbortSignal };

async function invoke(
  call: Invocation,
  { functions, clock, secrets, settings, reads, signal }: Place,
): Promise<Invoked> {
  const { declared } = call;
  const defined = functions[declared.name];
  if (defined === undefined) return failed("LoadError", `There is no function ${declared.name}.`);
  const stop = new AbortController();
  const deadlineMs = clock.nowMs() + declared.timeoutMs;
  const world = {
    reads,
    signal: AbortSignal.any([signal, stop.signal]),
    secrets,
    settings,
    blank: blankOf(secrets),
    root: "/",
    nowMs: () => clock.nowMs(),
  };
  const begun = beginCall(defined, { ...call, function: declared.name, deadlineMs }, world);
  const late = Promise.withResolvers<Invoked>();
  const timer = clock.after(declared.timeoutMs, () => {
    stop.abort(new DOMException("The function's time is over.", "TimeoutError"));
    begun.abandon();
    late.resolve(failed("Timeout", `It did not end within ${declared.timeoutMs} ms.`, begun.log.lines));
  });
  try {
    return await Promise.race([begun.ended, late.promise]);
  } finally {
    timer.cancel();
  }
}

function failed(name: string, says: string, logs: Invoked["logs"] = []): Invoked {
  return { kind: "failed", error: { name, says, at: null, stack: null }, logs };
}

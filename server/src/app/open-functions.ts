import { openThreadHost } from "#drivers/threads/open.ts";
import type { FunctionsHouse } from "#functions/house.ts";
import { type OpenFunctions, openFunctions } from "#functions/open.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";

/** Users' functions with their threads; closed, no thread is left. Loaded only in a house that has a folder of them. */
export type RunningFunctions = OpenFunctions & AsyncDisposable;

export function runFunctions(
  house: Omit<FunctionsHouse, "host">,
  { place, watch }: { readonly place: FunctionsPlace; readonly watch: boolean },
): RunningFunctions {
  const host = openThreadHost({ place, log: house.engine.parts.log });
  const functions = openFunctions({ ...house, host });
  if (watch) functions.book.watch();
  return { ...functions, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() };
}

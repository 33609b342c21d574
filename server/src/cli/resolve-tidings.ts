import { registerHooks } from "node:module";

let isDone = false;

/**
 * Lets `tidings.config.ts` import `tidings` although no package of that name lies beside it: then it is ours. The threads of
 * functions have the same of their own.
 */
export function resolveTidings(): void {
  if (isDone) return;
  isDone = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== "tidings" && !specifier.startsWith("tidings/")) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch {
        return next(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
}

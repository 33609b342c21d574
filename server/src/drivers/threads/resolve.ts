import { registerHooks } from "node:module";

let isDone = false;

/**
 * Lets files of users import `tidings` although no package of that name lies beside them: then it is ours. One that is
 * installed there goes first.
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

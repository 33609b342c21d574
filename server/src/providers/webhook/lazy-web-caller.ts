import type { WebCaller } from "#ports/web-caller.ts";
import { flawOf } from "#providers/webhook/web-call-flaw.ts";
import type { WebCallerOptions } from "#providers/webhook/web-caller.ts";

/**
 * A caller that loads its HTTP client at the first call: the client takes some 35 MB and a sixth of a second, which a house
 * without webhooks need not spend.
 */
export function lazyWebCaller(options: WebCallerOptions): WebCaller {
  let opening: Promise<WebCaller> | null = null;
  const open = async (): Promise<WebCaller> => {
    const { openWebCaller } = await import("#providers/webhook/web-caller.ts");
    return openWebCaller(options);
  };
  return {
    flaw: flawOf,
    post: async (call, signal) => {
      const caller = await (opening ??= open());
      return await caller.post(call, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await (await opening)?.[Symbol.asyncDispose]();
    },
  };
}

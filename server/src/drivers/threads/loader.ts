/** Runs in a short-lived thread: imports every file and tells what it declares. */
import { registerHooks } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { collectionsSeen, definedIn, lineIn, readDeclaration } from "tidings/load";
import type { FromLoader, LoadData, LoadFile, ReadFile } from "#drivers/threads/protocol.ts";
import { resolveTidings } from "#drivers/threads/resolve.ts";

function say(message: FromLoader): void {
  parentPort?.postMessage(message);
}

async function read({ url }: LoadFile): Promise<ReadFile> {
  try {
    const module: { readonly default?: unknown } = await import(url);
    if (module.default === undefined) return { kind: "module" };
    const defined = definedIn(module.default);
    if (defined === null) return fault("its default export is no function: export default defineFunction({ … })", 1);
    const declaration = readDeclaration(defined);
    return "says" in declaration ? fault(declaration.says, lineIn(defined)) : { kind: "function", declaration };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const line = new RegExp(`${RegExp.escape(url)}(?:\\?[^:]*)?:(\\d+)`).exec(error.stack ?? "")?.[1];
    return fault(error.message, line === undefined ? null : Number(line));
  }
}

function fault(says: string, line: number | null): ReadFile {
  return { kind: "fault", says, line };
}

resolveTidings();
const sources = new Set<string>();
registerHooks({
  load(url, context, next) {
    if (url.startsWith("file:") && !url.includes("/node_modules/")) sources.add(url);
    return next(url, context);
  },
});
// `load.ts` starts it with these.
const { files } = workerData as LoadData;
for (const file of files) {
  say({ kind: "reading", name: file.name });
  say({ kind: "read", name: file.name, read: await read(file) });
}
say({ kind: "done", collections: collectionsSeen(), sources: [...sources] });

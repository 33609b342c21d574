import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UsageFault } from "#cli/exit.ts";
import type { World } from "#cli/world.ts";

/**
 * A file's text; `-` is standard input.
 * @param what how the file was named on the command line, for a complaint.
 * @throws {UsageFault} when it cannot be read.
 */
export async function readText(world: World, file: string, what: string): Promise<string> {
  if (file !== "-") {
    try {
      return readFileSync(resolve(world.cwd, file), "utf8");
    } catch (error) {
      throw new UsageFault(`${what} ${file} cannot be read (${error instanceof Error ? error.message : "?"})`);
    }
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of world.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

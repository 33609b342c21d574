import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "#engine/error-text.ts";
import type { Log } from "#ports/log.ts";

/**
 * Leaves address and token of this process in the data folder, for commands on the same machine. A folder that cannot be
 * written to (with Postgres nothing else needs one) is only told of: those commands then need `--url` and a key.
 * @returns how to take it away; what another process on the folder has left since stays.
 */
export async function leaveAddress(
  dataDir: string,
  address: { readonly url: string; readonly token: string; readonly pid: number },
  log: Log,
): Promise<() => Promise<void>> {
  const file = join(dataDir, "local.json");
  const text = JSON.stringify(address);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  } catch (fault) {
    log.warn("The data folder cannot be written to; commands on this machine need --url and a key", {
      error: errorText(fault).split("\n")[0] ?? "",
    });
    return async () => {};
  }
  return async () => {
    if ((await readFile(file, "utf8").catch(() => "")) === text) await rm(file, { force: true });
  };
}

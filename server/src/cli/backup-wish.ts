import { resolve } from "node:path";
import type { BackupWish } from "#app/backup-file.ts";
import { sqliteFolder } from "#cli/load-settings.ts";
import type { Options } from "#cli/options.ts";
import { ProgressLine } from "#cli/progress.ts";
import type { World } from "#cli/world.ts";

/** Does with a backup's file and a data folder what the command line asks for, showing how far it is; Ctrl-C ends it. */
export async function workOnBackup<Done>(
  world: World,
  file: string,
  options: Options,
  what: string,
  work: (wish: BackupWish) => Promise<Done>,
): Promise<Done> {
  const { clock, signal, cwd } = world;
  const dataDir = await sqliteFolder(world, options);
  const progress = new ProgressLine(world, what);
  const step = (says: string): void => {
    signal.throwIfAborted();
    progress.tell(says);
  };
  try {
    return await work({ dataDir, file: resolve(cwd, file), force: options.flag("force"), clock, step });
  } finally {
    progress.end();
  }
}

import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import os from "node:os";
import { version } from "#app/version.ts";
import { ROOT } from "./run.ts";

/** In words, for the head of the page. */
export type Machine = { readonly hardware: string; readonly software: string; readonly program: string };

/** statfs(2): the magic numbers of those that one meets. */
const FILE_SYSTEMS = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs, where a sync costs nothing"],
  [0x794c7630, "overlayfs"],
]);

export function lookAtMachine(): Machine {
  const type = statfsSync(os.tmpdir()).type;
  const disk = FILE_SYSTEMS.get(type) ?? `file system 0x${type.toString(16)}`;
  const memory = `${Math.round(os.totalmem() / 1024 ** 3)} GiB`;
  return {
    hardware: `${os.availableParallelism()} cores (${os.cpus()[0]?.model.trim() ?? "unknown"}), ${memory}`,
    software: `${os.type()} ${os.release()}, ${disk}, Node ${process.version}, SQLite ${process.versions["sqlite"]}`,
    program: `Tidings ${version}, commit ${commit()}`,
  };
}

function commit(): string {
  try {
    const said = execFileSync("git", ["describe", "--always", "--dirty"], { cwd: ROOT, encoding: "utf8" }).trim();
    return said.replace(/-dirty$/, " with changes that are not committed");
  } catch {
    return "unknown";
  }
}

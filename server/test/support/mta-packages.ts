import { execFile } from "node:child_process";
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { whyNoPrivateRoot } from "./private-root.ts";

const run = promisify(execFile);

/** Mail servers that tests speak to: Debian's package, the command that starts it, and who names another one. */
const MTAS = {
  postfix: { command: "postfix", names: "TIDINGS_TEST_POSTFIX" },
  opensmtpd: { command: "smtpd", names: "TIDINGS_TEST_OPENSMTPD" },
} as const;

export type MtaName = keyof typeof MTAS;

/** Where a mail server is: installed, or in packages that are still to be unpacked. */
export type Mta = { readonly command: string; readonly packages: readonly string[] };

/** Package lists, and a few packages of some MB. */
const DOWNLOAD_MS_MAX = 120_000;
const CACHE = new URL("../../../node_modules/.cache/tidings-mta", import.meta.url).pathname;
const USUAL_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

/**
 * Finds a mail server to run in a private root: the command that `TIDINGS_TEST_POSTFIX` or `TIDINGS_TEST_OPENSMTPD`
 * names, one on the PATH, Debian's package as it was downloaded before, or, with `TIDINGS_TEST_DOWNLOAD=1`, now.
 *
 * @returns the server, or a sentence that says why there is none.
 */
export async function findMta(name: MtaName): Promise<Mta | string> {
  const why = await whyNoPrivateRoot();
  if (why !== null) return why;
  const { command, names } = MTAS[name];
  const { [names]: named, PATH = "", TIDINGS_TEST_DOWNLOAD: download } = process.env;
  if (named !== undefined) return { command: named, packages: [] };
  const installed = [...PATH.split(delimiter), ...USUAL_FOLDERS]
    .map((folder) => join(folder, command))
    .find(existsSync);
  if (installed !== undefined) return { command: installed, packages: [] };
  const folder = join(CACHE, name);
  if (!existsSync(folder)) {
    if (download !== "1")
      return `there is no ${command} here; ${names} names one, and TIDINGS_TEST_DOWNLOAD=1 takes Debian's package`;
    try {
      await downloadTo(folder, name);
    } catch (error) {
      return `Debian's package could not be taken: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { command, packages: globSync(join(folder, "*.deb")) };
}

/** The package and what it needs beyond what is installed, with a state of its own: nothing of the machine's apt changes. */
async function downloadTo(folder: string, name: MtaName): Promise<void> {
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  for (const path of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(work, path), { recursive: true });
  const apt = [
    ...["-q", "-y", "-o", `Dir::State=${join(work, "state")}`, "-o", "Dir::State::status=/var/lib/dpkg/status"],
    ...["-o", `Dir::Cache=${join(work, "cache")}`, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"],
  ];
  await run("apt-get", [...apt, "update"], { timeout: DOWNLOAD_MS_MAX });
  const install = ["install", "--no-install-recommends", "--download-only", name];
  await run("apt-get", [...apt, ...install], { timeout: DOWNLOAD_MS_MAX });
  // Whole or not at all: a run that was interrupted before begins again.
  renameSync(join(work, "cache/archives"), folder);
  rmSync(work, { recursive: true, force: true });
}

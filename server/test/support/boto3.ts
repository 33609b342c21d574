import { execFile } from "node:child_process";
import { existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How boto3 speaks to SQS: Query/XML until botocore 1.31.80, JSON since. */
export type Protocol = "query" | "json";

/** A Python and what it needs in its environment to find boto3. */
export type Boto3 = { readonly python: string; readonly env: NodeJS.ProcessEnv; readonly name: string };

/** The user's own, and the system's beside it: they often have different versions. */
const PYTHONS = ["python3", "/usr/bin/python3"];
/** Debian's release that has it; its Python packages are the same for every architecture. */
const SUITES = { query: "bookworm", json: "trixie" } as const satisfies Record<Protocol, string>;
const PACKAGES = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"];
const CACHE = new URL("../../../node_modules/.cache/tidings-boto3", import.meta.url).pathname;
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Package lists, and some MB of packages. */
const DOWNLOAD_MS_MAX = 120_000;

const ABOUT = `
import sys, boto3
protocol = boto3.client("sqs", region_name="x").meta.service_model.metadata["protocol"]
print(protocol, "boto3", boto3.__version__ + ",", "Python", sys.version.split()[0])`;

/**
 * Finds a boto3 that speaks so: one that is installed, Debian's as it was unpacked before, or, with
 * `TIDINGS_TEST_DOWNLOAD=1`, now. Nothing is installed by that.
 *
 * @returns it, or a sentence that says why there is none.
 */
export async function findBoto3(protocol: Protocol): Promise<Boto3 | string> {
  const installed = await firstOf(protocol, undefined);
  if (installed !== null) return installed;
  const suite = SUITES[protocol];
  const folder = join(CACHE, suite);
  if (!existsSync(folder)) {
    const what = `there is no Python with a boto3 that speaks ${protocol} to SQS here`;
    if (process.env["TIDINGS_TEST_DOWNLOAD"] !== "1") {
      return `${what}; TIDINGS_TEST_DOWNLOAD=1 takes that of Debian ${suite}`;
    }
    try {
      await downloadTo(folder, suite);
    } catch (error) {
      return `${what}, and that of Debian ${suite} could not be taken: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  const unpacked = await firstOf(protocol, join(folder, "usr/lib/python3/dist-packages"));
  return unpacked ?? `no Python here can import the boto3 of Debian ${suite}`;
}

async function firstOf(protocol: Protocol, path: string | undefined): Promise<Boto3 | null> {
  const env = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    PYTHONDONTWRITEBYTECODE: "1",
    // Whatever is set up on this machine for AWS itself has no part in this.
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    ...(path === undefined ? {} : { PYTHONPATH: path }),
  };
  for (const python of PYTHONS) {
    try {
      const { stdout } = await run(python, ["-c", ABOUT], { env });
      const [spoken, ...name] = stdout.trim().split(" ");
      if (spoken === protocol) return { python, env, name: name.join(" ") };
    } catch {
      // No such Python, or none with a boto3 that it can import.
    }
  }
  return null;
}

/** Unpacks the packages, from the mirror that this machine uses. Its own apt is asked for that, and left as it is. */
async function downloadTo(folder: string, suite: string): Promise<void> {
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  for (const path of ["state/lists/partial", "cache/archives/partial", "debs", "root"]) {
    mkdirSync(join(work, path), { recursive: true });
  }
  const sources = join(work, "sources.list");
  writeFileSync(sources, `deb ${await mirror()} ${suite} main\n`);
  writeFileSync(join(work, "status"), "");
  const apt = [
    ...["-q", "-o", `Dir::State=${join(work, "state")}`, "-o", `Dir::State::status=${join(work, "status")}`],
    ...["-o", `Dir::Cache=${join(work, "cache")}`, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"],
    ...["-o", `Dir::Etc::sourcelist=${sources}`, "-o", "Dir::Etc::sourceparts=/dev/null"],
  ];
  await run("apt-get", [...apt, "update"], { timeout: DOWNLOAD_MS_MAX });
  const names = PACKAGES.map((name) => `python3-${name}`);
  await run("apt-get", [...apt, "download", ...names], { cwd: join(work, "debs"), timeout: DOWNLOAD_MS_MAX });
  for (const deb of globSync(join(work, "debs/*.deb"))) await run("dpkg-deb", ["-x", deb, join(work, "root")]);
  // Whole or not at all: a run that was interrupted before begins again.
  renameSync(join(work, "root"), folder);
  rmSync(work, { recursive: true, force: true });
}

/** Address of the first source of Debian itself that apt knows, with who signs it, as a line of `sources.list` has them. */
async function mirror(): Promise<string> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
  const uri = stdout.split("\n").find((one) => one !== "" && !one.includes("security"));
  if (uri === undefined) throw new Error("apt has no source of Debian's packages");
  return existsSync(KEYRING) ? `[signed-by=${KEYRING}] ${uri}` : uri;
}

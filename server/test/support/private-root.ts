import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** One command inside: a mail server takes a second or two to start, with both cores taken some more. */
const COMMAND_MS_MAX = 30_000;

export type PrivateRootOptions = {
  /** Debian packages to unpack into it, paths of `.deb` files. Their scripts are not run. */
  readonly packages?: readonly string[];
  /** Folders that are to be empty, whatever this machine keeps in them. */
  readonly empty?: readonly string[];
};

/**
 * A shell on this machine with files of its own: it sees all that is here, and whatever it writes, installs or starts is
 * gone when it ends (an overlay in memory, in mount and process namespaces of its own). The network is everybody's.
 *
 * It ends with the process that opened it, however that ends, and takes everything along that was started inside: the
 * shell reads from a pipe, and when that closes, process 1 of the namespace is gone.
 */
export class PrivateRoot implements AsyncDisposable {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly #ended: Promise<unknown>;
  #said = "";
  #commands = 0;
  /** Called when it said something, or ended. */
  #wake: () => void = () => undefined;

  private constructor(shell: ChildProcessWithoutNullStreams, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
    this.#ended = once(shell, "close").finally(() => this.#wake());
    const hear = (text: string): void => {
      this.#said += text;
      this.#wake();
    };
    shell.stdout.setEncoding("utf8").on("data", hear);
    shell.stderr.setEncoding("utf8").on("data", hear);
    shell.stdin.on("error", () => undefined);
  }

  /** @throws {Error} with what was said, when it cannot be made; {@link whyNoPrivateRoot} knows beforehand. */
  static async open({ packages = [], empty = [] }: PrivateRootOptions = {}): Promise<PrivateRoot> {
    const folder = mkdtempSync(join(tmpdir(), "tidings-root-"));
    const args = [...NAMESPACES, "sh", "-c", ENTER, "sh", folder, packages.join("\n"), empty.join("\n")];
    const root = new PrivateRoot(spawn("unshare", args), folder);
    try {
      await root.run("true");
    } catch (error) {
      await root[Symbol.asyncDispose]();
      throw error;
    }
    return root;
  }

  /**
   * Runs a script of the shell to its end, one at a time.
   *
   * @returns what it wrote, to both outputs. What goes on in the background has to write elsewhere.
   * @throws {Error} with what it wrote, when it fails.
   */
  async run(script: string): Promise<string> {
    this.#commands += 1;
    const mark = `--- command ${this.#commands}:`;
    const from = this.#said.length;
    const file = `/tmp/said-${this.#commands}`;
    this.#shell.stdin.write(`(\n${script}\n) </dev/null >${file} 2>&1; code=$?; cat ${file}; echo "${mark} $code"\n`);
    let late = false;
    const giveUp = setTimeout(() => {
      late = true;
      this.#wake();
    }, COMMAND_MS_MAX);
    try {
      for (;;) {
        const said = this.#said.slice(from);
        const at = said.indexOf(mark);
        const code = at < 0 ? undefined : /^ (\d+)\n/.exec(said.slice(at + mark.length))?.[1];
        if (code === "0") return said.slice(0, at);
        if (code !== undefined || late || this.#shell.exitCode !== null || this.#shell.signalCode !== null)
          throw new Error(`in a private root: ${script.slice(0, 200)}: ${said.slice(-2_000)}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(giveUp);
    }
  }

  /** Writes a file. */
  async write(path: string, text: string): Promise<void> {
    await this.run(`base64 -d > '${path}' <<'END'\n${Buffer.from(text, "utf8").toString("base64")}\nEND`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.stdin.end();
    await this.#ended;
    rmdirSync(this.#folder);
  }
}

/** Null when there can be one here, else a sentence for whoever reads that a test was not run. */
export async function whyNoPrivateRoot(): Promise<string | null> {
  if (process.platform !== "linux") return "it needs Linux, for a private root folder";
  if (process.getuid?.() !== 0) return "it needs root, for a private root folder (mount namespaces)";
  try {
    await run("unshare", [...NAMESPACES, "sh", "-c", `mount -t tmpfs tmpfs /mnt`]);
    return null;
  } catch {
    return "this machine allows no mount namespaces, of which it needs one";
  }
}

const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child"];

/** $1: an empty folder. $2, $3: packages to unpack and folders to empty, one on a line. */
const ENTER = `
set -e
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs -o mode=755 tmpfs root/run
mount -t tmpfs tmpfs root/tmp
echo "$2" | while read -r package; do
  [ -z "$package" ] || dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C root
done
echo "$3" | while read -r folder; do
  [ -z "$folder" ] || { mkdir -p "root$folder"; mount -t tmpfs -o mode=755 tmpfs "root$folder"; }
done
exec chroot root sh -s
`;

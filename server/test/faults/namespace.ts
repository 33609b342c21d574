import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

/**
 * A network of its own for a node (network namespace), with two cables to the rest of the machine: one that leads to the
 * database and can be pulled, one for everything else. Linux, as root, with `ip` (iproute2).
 */
export class Namespace implements AsyncDisposable {
  readonly #name: string;
  /** Addresses of the machine's end and of the node's, per cable. */
  readonly database: Cable;
  readonly rest: Cable;

  private constructor(name: string, database: Cable, rest: Cable) {
    this.#name = name;
    this.database = database;
    this.rest = rest;
  }

  static async open(): Promise<Namespace> {
    // Unique on this machine; names of interfaces have at most 15 characters.
    const name = `td${process.pid}`;
    const cables = (["d", "r"] as const).map((letter, at): Cable => {
      const net = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;
      return {
        device: `${name}${letter}0`,
        inside: `${name}${letter}1`,
        near: `${net}.${at * 4 + 1}`,
        far: `${net}.${at * 4 + 2}`,
      };
    });
    const [database, rest] = cables as [Cable, Cable]; // two letters make two
    await ip("netns", "add", name);
    const opened = new Namespace(name, database, rest);
    try {
      await ip("-n", name, "link", "set", "lo", "up");
      for (const { device, inside, near, far } of cables) {
        await ip("link", "add", device, "type", "veth", "peer", "name", inside, "netns", name);
        await ip("addr", "add", `${near}/30`, "dev", device);
        await ip("link", "set", device, "up");
        await ip("-n", name, "addr", "add", `${far}/30`, "dev", inside);
        await ip("-n", name, "link", "set", inside, "up");
      }
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What makes a command one of this network. */
  get before(): readonly string[] {
    return ["ip", "netns", "exec", this.#name];
  }

  /** Pulls the cable to the database: packets are lost in both directions, and nobody is told. */
  async cut(): Promise<void> {
    await ip("link", "set", this.database.device, "down");
  }

  async mend(): Promise<void> {
    await ip("link", "set", this.database.device, "up");
  }

  /** The cables go with it, but for those that never got into it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { device } of [this.database, this.rest]) await ip("link", "del", device).catch(() => {});
    await ip("netns", "del", this.#name);
  }
}

type Cable = { readonly device: string; readonly inside: string; readonly near: string; readonly far: string };

/** Why there can be no such thing here; null when it can. */
export function cannotMakeNamespaces(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need Linux and root";
  const name = `td${process.pid}try`;
  try {
    execFileSync("ip", ["netns", "add", name], { stdio: "pipe" });
    execFileSync("ip", ["netns", "del", name], { stdio: "pipe" });
    return null;
  } catch (error) {
    return `this machine makes no network namespaces: ${String(error).split("\n")[0]}`;
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("ip", [...args]);
}

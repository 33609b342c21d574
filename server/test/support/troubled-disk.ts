import { spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Env } from "./program.ts";

const SOURCE = new URL("./troubled-disk.c", import.meta.url).pathname;

/** errno of Linux. */
export const EIO = 5;
export const ENOSPC = 28;

/** The numbers that the disk obeys, in the order in which they lie in the shared file; `troubled-disk.c` explains them. */
const ORDERS = [
  "syncDelayMs",
  "syncErrno",
  "writeErrno",
  "spared",
  "forget",
  "earlyPercent",
  "syncs",
  "failed",
] as const;
type Order = (typeof ORDERS)[number];
const NUMBER_BYTES = 4;

/**
 * Stands between a program and its disk (a library that is loaded before libc) and makes it slow, full or broken while
 * it runs. It also keeps a second folder as the disk would look after a power cut: only what was synced.
 */
export class TroubledDisk implements Disposable {
  readonly #home = mkdtempSync(join(tmpdir(), "tidings-disk-"));
  readonly #orders: number;
  readonly #shadow: string;

  private constructor() {
    this.#shadow = join(this.#home, "after-power-cut");
    mkdirSync(this.#shadow);
    this.#orders = openSync(join(this.#home, "orders"), "w+");
    writeSync(this.#orders, new Uint8Array(ORDERS.length * NUMBER_BYTES));
  }

  /** Null when it cannot be had here: {@link whyNoTroubledDisk} says why. */
  static open(): TroubledDisk {
    const disk = new TroubledDisk();
    const { status, stderr } = compile(disk.#library);
    if (status === 0) return disk;
    disk[Symbol.dispose]();
    throw new Error(`the disk's library does not compile: ${stderr}`);
  }

  /** What the program needs in its environment so that its data folder is on this disk. */
  env(dataDir: string, { powerCuts = false, seed = 1 } = {}): Env {
    return {
      LD_PRELOAD: this.#library,
      DISK_ORDERS: join(this.#home, "orders"),
      DISK_FOLDER: dataDir,
      DISK_SEED: String(seed),
      ...(powerCuts ? { DISK_SHADOW: this.#shadow } : {}),
    };
  }

  order(orders: Partial<Record<Order, number>>): void {
    for (const [at, name] of ORDERS.entries()) {
      const value = orders[name];
      if (value !== undefined) writeSync(this.#orders, new Int32Array([value]), 0, NUMBER_BYTES, at * NUMBER_BYTES);
    }
  }

  /** All is well again. */
  heal(): void {
    this.order({ syncDelayMs: 0, syncErrno: 0, writeErrno: 0, spared: 0, forget: 0 });
  }

  /** What stands there now: an order, or what the disk has counted. */
  count(name: Order): number {
    const number = new Int32Array(1);
    readSync(this.#orders, number, 0, NUMBER_BYTES, ORDERS.indexOf(name) * NUMBER_BYTES);
    return number[0] ?? 0;
  }

  /** After the program was killed: its folder becomes what was on the disk when the power went. */
  cutPower(dataDir: string): void {
    rmSync(dataDir, { recursive: true, force: true });
    cpSync(this.#shadow, dataDir, { recursive: true });
  }

  [Symbol.dispose](): void {
    closeSync(this.#orders);
    rmSync(this.#home, { recursive: true, force: true });
  }

  get #library(): string {
    return join(this.#home, "troubled-disk.so");
  }
}

/** Why there is no such disk on this machine; undefined when there is one. */
export function whyNoTroubledDisk(): string | undefined {
  if (process.platform !== "linux") return "the troubled disk is a library for Linux";
  return spawnSync("cc", ["--version"]).status === 0 ? undefined : "no C compiler (cc) here to make the troubled disk";
}

function compile(to: string): { readonly status: number | null; readonly stderr: string } {
  return spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", to, SOURCE, "-ldl", "-lpthread"], { encoding: "utf8" });
}

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { cpuOf, memoryOf, steadyMs } from "../measure.ts";
import type { LoopLook } from "./loop-probe.ts";

/** One look at everything, every few seconds. A figure that could not be read is NaN (null in JSON). */
export type Sample = {
  /** Since the load began. */
  readonly atS: number;
  readonly mailsPerS: number;
  readonly acceptMsP50: number;
  readonly acceptMsP99: number;
  /** From the 202 to the last byte at the mail server; calls that were timed. */
  readonly arriveMsP50: number;
  readonly arriveMsP99: number;
  /** How much later than they were due delayed mails came. */
  readonly timerLateMsP99: number;
  readonly rssMib: number;
  readonly heapMib: number;
  readonly externalMib: number;
  readonly loopDelayMsP99: number;
  readonly loopDelayMsMax: number;
  /** Share of one core. */
  readonly cpuCores: number;
  readonly jobsReady: number;
  readonly jobsHeld: number;
  readonly jobsWaiting: number;
  readonly oldestReadyS: number;
  readonly journalEvents: number;
  readonly diskMib: number;
  readonly walMib: number;
  readonly openFiles: number;
  readonly loadLateMsP99: number;
  readonly openCallsMax: number;
};

/** Reads what the process, its folder and its metrics say. */
export class Watch {
  readonly #pid: number;
  readonly #dataDir: string;
  readonly #probeFile: string;
  #cpu: { readonly us: number; readonly atMs: number } | null = null;

  constructor(pid: number, dataDir: string, probeFile: string) {
    this.#pid = pid;
    this.#dataDir = dataDir;
    this.#probeFile = probeFile;
  }

  look(metrics: string) {
    const loop = this.#loop();
    const gauge = (name: string, label = ""): number => sumOf(metrics, name, label);
    return {
      rssMib: memoryOf(this.#pid)?.nowMib ?? Number.NaN,
      heapMib: gauge("process_heap_bytes") / 2 ** 20,
      externalMib: loop?.externalMib ?? Number.NaN,
      loopDelayMsP99: loop?.delayMs.p99 ?? Number.NaN,
      loopDelayMsMax: loop?.delayMs.max ?? Number.NaN,
      cpuCores: this.#cores(),
      jobsReady: gauge("tidings_queue_jobs", 'state="ready"'),
      jobsHeld: gauge("tidings_queue_jobs", 'state="held"'),
      jobsWaiting: gauge("tidings_queue_jobs", 'state="waiting"'),
      oldestReadyS: maxOf(metrics, "tidings_queue_oldest_ready_seconds"),
      journalEvents:
        gauge("tidings_journal_position", 'end="last"') - gauge("tidings_journal_position", 'end="first"') + 1,
      diskMib: bytesOf(this.#dataDir) / 2 ** 20,
      walMib: sizeOf(join(this.#dataDir, "tidings.db-wal")) / 2 ** 20,
      openFiles: openFilesOf(this.#pid),
    };
  }

  #cores(): number {
    const us = cpuOf(this.#pid)?.wholeUs ?? Number.NaN;
    const now = { us, atMs: steadyMs() };
    const before = this.#cpu;
    this.#cpu = now;
    return before === null ? Number.NaN : (now.us - before.us) / 1000 / (now.atMs - before.atMs);
  }

  #loop(): LoopLook | null {
    try {
      const line = readFileSync(this.#probeFile, "utf8").trimEnd().split("\n").at(-1);
      return line === undefined || line === "" ? null : (JSON.parse(line) as LoopLook);
    } catch {
      return null;
    }
  }
}

/** Sum over the series of a name whose labels hold this text, in Prometheus' text format. */
export function sumOf(metrics: string, name: string, label: string): number {
  return valuesOf(metrics, name, label).reduce((sum, value) => sum + value, 0);
}

function maxOf(metrics: string, name: string): number {
  return Math.max(0, ...valuesOf(metrics, name, ""));
}

function valuesOf(metrics: string, name: string, label: string): readonly number[] {
  return metrics
    .split("\n")
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
}

/** Of a folder with all that is in it. */
export function bytesOf(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) bytes += sizeOf(join(folder, name));
  return bytes;
}

function sizeOf(file: string): number {
  try {
    const stats = statSync(file);
    return stats.isFile() ? stats.size : 0;
  } catch {
    return 0;
  }
}

function openFilesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return Number.NaN;
  }
}

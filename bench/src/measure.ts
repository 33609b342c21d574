import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds of the machine's steady clock (CLOCK_MONOTONIC): comparable between processes, unlike `performance.now`. */
export function steadyMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** @param share 0.5 is the median. @param values in any order; not changed. @returns NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export type Spread = { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };

export function spread(values: readonly number[]): Spread {
  const [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1].map((share) => percentile(values, share));
  return { p50: p50 ?? Number.NaN, p95: p95 ?? Number.NaN, p99: p99 ?? Number.NaN, max: max ?? Number.NaN };
}

/** Of /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** Microseconds of processor a process has used, whole and by the names of threads, user and system; null without /proc. */
export type Cpu = { readonly wholeUs: number; readonly threads: ReadonlyMap<string, number> };

export function cpuOf(pid: number): Cpu | null {
  try {
    const threads = new Map<string, number>();
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const { name, us } = readStat(`/proc/${pid}/task/${tid}/stat`);
      const called =
        tid === String(pid) ? "main" : name.startsWith("node-V8") ? "compiler and garbage collector" : name;
      threads.set(called, (threads.get(called) ?? 0) + us);
    }
    return { wholeUs: readStat(`/proc/${pid}/stat`).us, threads };
  } catch {
    return null;
  }
}

/**
 * A process and all below it, those that have ended included: microseconds of processor since its start, and MiB that
 * are resident, pages that several share counted once. Null for no process, or without /proc.
 */
export function familyOf(pid: number | null): { readonly cpuUs: number; readonly mib: number } | null {
  if (pid === null) return null;
  try {
    const members = new Set([pid]);
    const stats = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)) ?? []);
    // Children may have lower numbers than their parents when numbers have begun again.
    for (let size = 0; size < members.size; ) {
      size = members.size;
      for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid);
    }
    let cpuUs = 0;
    let kib = 0;
    for (const one of stats) {
      if (!members.has(one.pid)) continue;
      cpuUs += one.cpuUs;
      const rollup = readFileSync(`/proc/${one.pid}/smaps_rollup`, "latin1");
      kib += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]);
    }
    return { cpuUs, mib: kib / 1024 };
  } catch {
    return null;
  }
}

/** proc(5): the parent is field 4; utime, stime and the same of children that have ended and were waited for 14 to 17. */
function statOf(pid: number): { pid: number; parent: number; cpuUs: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { pid, parent: Number(fields[1]), cpuUs: ticks * TICK_US };
  } catch {
    return null; // it has ended meanwhile
  }
}

/** proc(5): the name in parentheses may hold spaces; utime and stime are fields 14 and 15. */
function readStat(file: string): { name: string; us: number } {
  const text = readFileSync(file, "latin1");
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  return { name: text.slice(text.indexOf("(") + 1, end), us: (Number(fields[11]) + Number(fields[12])) * TICK_US };
}

/** In MiB. `ownMib` is what no file backs: heap, stacks, buffers; the rest is mostly Node's own code. */
export type Memory = { readonly nowMib: number; readonly peakMib: number; readonly ownMib: number };

export function memoryOf(pid: number): Memory | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
    return { nowMib: mib("VmRSS"), peakMib: mib("VmHWM"), ownMib: mib("RssAnon") };
  } catch {
    return null;
  }
}

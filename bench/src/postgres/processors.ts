import { readFileSync } from "node:fs";
import { cpuOf, familyOf, steadyMs } from "../measure.ts";

/** Who had the processors during a burst, as shares of all that there are; together 1. */
export type Shares = {
  readonly nodes: number;
  readonly database: number;
  readonly sink: number;
  readonly load: number;
  /** Anything else on this machine, and the kernel where it works for nobody. */
  readonly others: number;
  readonly idle: number;
};

export type Watched = {
  readonly nodes: readonly number[];
  readonly database: number;
  readonly sink: number;
  readonly load: number;
};

export type Look = {
  readonly atMs: number;
  readonly nodesUs: readonly number[];
  readonly databaseUs: number;
  readonly sinkUs: number;
  readonly loadUs: number;
  readonly idleTicks: number;
  readonly allTicks: number;
};

/** Processor time so far; NaN of whoever is not there, or without /proc. */
export function look({ nodes, database, sink, load }: Watched): Look {
  const us = (pid: number): number => cpuOf(pid)?.wholeUs ?? Number.NaN;
  return {
    atMs: steadyMs(),
    nodesUs: nodes.map(us),
    databaseUs: familyOf(database)?.cpuUs ?? Number.NaN,
    sinkUs: us(sink),
    loadUs: us(load),
    ...ticks(),
  };
}

export function sharesOf(before: Look, after: Look): Shares {
  const all = after.allTicks - before.allTicks;
  const share = (us: number): number => us / TICK_US / all;
  const spentUs = sum(after.nodesUs) - sum(before.nodesUs);
  const shares = {
    nodes: share(spentUs),
    database: share(after.databaseUs - before.databaseUs),
    sink: share(after.sinkUs - before.sinkUs),
    load: share(after.loadUs - before.loadUs),
    idle: (after.idleTicks - before.idleTicks) / all,
  };
  return { ...shares, others: Math.max(0, 1 - sum(Object.values(shares))) };
}

/** Above this share of idle processors, it is something else that is waited for. */
const IDLE_MAX = 0.15;

/** What kept it from going faster, in words. */
export function bottleneckOf({ nodes, database, idle }: Shares): string {
  if (idle > IDLE_MAX) return "the disk and the ways between the processes: processors rest";
  return database > nodes ? "processors, most of them the database's" : "processors, most of them the nodes'";
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** proc(5): user, nice, system, idle, iowait, irq, softirq, steal of all processors; who waits for a disk is idle. */
function ticks(): { readonly idleTicks: number; readonly allTicks: number } {
  try {
    const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
    const fields = first.split(/\s+/).slice(1, 9).map(Number);
    return { idleTicks: (fields[3] ?? 0) + (fields[4] ?? 0), allTicks: sum(fields) };
  } catch {
    return { idleTicks: Number.NaN, allTicks: Number.NaN };
  }
}

import { Caller } from "../caller.ts";
import { sleep } from "../children.ts";
import type { House } from "../doors/house.ts";
import { memoryOf } from "../measure.ts";
import { KEY } from "../tidings.ts";
import { callFunction } from "./cold.ts";
import { houseOf, httpFunctions, makeProject } from "./projects.ts";

/** Resident MiB of the server; null where /proc tells nothing, or it was not waited for. */
export type FunctionsMemory = {
  readonly functions: number;
  readonly none: AtTimes;
  readonly loaded: AtTimes;
};

export type AtTimes = {
  /** Nothing has happened since the start. */
  readonly restMib: number | null;
  /** When all were called, one after the other: each has a thread. Of the one without functions: as many calls of its own. */
  readonly calledMib: number | null;
  /** When the threads had no call for longer than they live without. */
  readonly idleMib: number | null;
  /** Half a minute later: what V8 keeps of threads that have ended it gives back some seconds after. */
  readonly settledMib: number | null;
};

/** How long nothing happens before memory at rest is read. */
const REST_MS = 3_000;
/** `IDLE_MS` of server/src/drivers/threads/open.ts, and a moment more. */
const IDLE_MS = 60_000 + 8_000;
const SETTLED_MS = 30_000;

/** @param waits whether the idle time is waited for. */
export async function measureMemory(
  { functions, waits }: { readonly functions: number; readonly waits: boolean },
  say: (line: string) => void,
): Promise<FunctionsMemory> {
  const none = await atTimes({}, waits, async (house, caller) => {
    for (let n = 0; n < functions; n++) await callQueues(house, caller);
  });
  say(`no functions: ${textOf(none)}`);
  const loaded = await atTimes(httpFunctions(functions), waits, async (house, caller) => {
    for (let n = 0; n < functions; n++) await callFunction(house, caller, n);
  });
  say(`${functions} functions: ${textOf(loaded)}`);
  return { functions, none, loaded };
}

async function atTimes(
  files: Readonly<Record<string, string>>,
  waits: boolean,
  callAll: (house: House, caller: Caller) => Promise<void>,
): Promise<AtTimes> {
  await using house = await houseOf(makeProject(files));
  const now = (): number | null => memoryOf(house.pid)?.nowMib ?? null;
  await sleep(REST_MS);
  const restMib = now();
  const caller = await Caller.open(house.place.port, house.place.host);
  await callAll(house, caller);
  caller.close();
  const calledMib = now();
  if (!waits) return { restMib, calledMib, idleMib: null, settledMib: null };
  await sleep(IDLE_MS);
  const idleMib = now();
  await sleep(SETTLED_MS);
  return { restMib, calledMib, idleMib, settledMib: now() };
}

/** An authorised call that changes nothing. */
async function callQueues({ place: { host, port } }: House, caller: Caller): Promise<void> {
  const head = ["GET /queues HTTP/1.1", `host: ${host}:${port}`, `authorization: Bearer ${KEY}`];
  const { status, body } = await caller.call(`${head.join("\r\n")}\r\n\r\n`);
  if (status !== 200) throw new Error(`GET /queues: ${status} ${body}`);
}

function textOf({ restMib, calledMib, idleMib, settledMib }: AtTimes): string {
  const mib = (value: number | null): string => (value === null ? "not measured" : `${value.toFixed(0)} MiB`);
  return `at rest ${mib(restMib)}, when all were called ${mib(calledMib)}, a minute later ${mib(idleMib)}, at last ${mib(settledMib)}`;
}

import { scriptFile, sleep, start } from "../children.ts";
import { listMessage } from "../mail.ts";
import { cpuOf, steadyMs } from "../measure.ts";
import type { RawResult } from "../raw-nodemailer.ts";
import { startLoad } from "../system.ts";
import { Tidings } from "../tidings.ts";
import { arrived } from "./arrivals.ts";
import { CountingSink } from "./counting.ts";
import { LIST, LIST_BURST, listStore } from "./list-store.ts";
import { type MemoryCourse, watchMemory } from "./memory.ts";

/** What code must have seen to be compiled well; the same for all. */
export const WARM_UP_SENDS = 3_000;
/** How long nothing happens before the last look at memory. */
const REST_MS = 3_000;

export type ListRun = {
  readonly people: number;
  /** By the API; null if the store was kept from an earlier run. */
  readonly importMs: number | null;
  /** From the one call until every mail is at the server and every status is written. */
  readonly tookMs: number;
  readonly perSecond: number;
  readonly cpuUsPerMail: number | null;
  readonly memory: MemoryCourse;
  readonly lost: number;
  readonly twice: number;
};

/** One send to everybody on a list. */
export async function sendToList(people: number): Promise<ListRun> {
  const { dataDir, importMs } = await listStore(people);
  await using sink = await CountingSink.start();
  await using tidings = await Tidings.start({ smtpPort: sink.port, dataDir });
  {
    await using load = startLoad();
    await load.run(tidings.job("warm", WARM_UP_SENDS, {}));
  }
  await tidings.settled();
  const cpuBefore = cpuOf(tidings.pid);
  const memory = watchMemory(tidings.pid);
  const startMs = steadyMs();
  await tidings.send(listMessage(LIST));
  await arrived(() => sink.distinct(LIST_BURST), people);
  await tidings.settled();
  const tookMs = steadyMs() - startMs;
  const cpuAfter = cpuOf(tidings.pid);
  await sleep(REST_MS);
  return {
    people,
    importMs,
    tookMs,
    perSecond: (people / tookMs) * 1000,
    cpuUsPerMail: cpuBefore === null || cpuAfter === null ? null : (cpuAfter.wholeUs - cpuBefore.wholeUs) / people,
    memory: memory.stop(),
    ...(await sink.check(LIST_BURST, people)),
  };
}

/** The yardstick, into the same sink: a nodemailer pool that is handed mails as fast as it takes them. @returns mails a second. */
export async function rawPool(connections: number, mails: number): Promise<number> {
  await using sink = await CountingSink.start();
  const child = start([scriptFile("raw-nodemailer.ts"), JSON.stringify({ sinkPort: sink.port, connections })]);
  await using parts = new AsyncDisposableStack();
  parts.defer(() => child.end());
  await child.ask(JSON.stringify({ burst: "warm", sends: WARM_UP_SENDS }));
  const { startMs, endMs } = (await child.ask(JSON.stringify({ burst: "raw", sends: mails }))) as RawResult;
  const { lost, twice } = await sink.check("raw", mails);
  if (lost + twice > 0) throw new Error(`nodemailer's pool lost ${lost} mails and sent ${twice} twice`);
  return (mails / (endMs - startMs)) * 1000;
}

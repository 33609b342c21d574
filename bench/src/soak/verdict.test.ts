import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOf } from "./pages.ts";
import { plotOf } from "./plot.ts";
import { columnsOf, type SoakResults } from "./results.ts";
import type { Sample } from "./sample.ts";
import { judge } from "./verdict.ts";

const STILL: Omit<Sample, "atS"> = {
  mailsPerS: 1_000,
  acceptMsP50: 2,
  acceptMsP99: 8,
  arriveMsP50: 1,
  arriveMsP99: 6,
  timerLateMsP99: 10,
  rssMib: 200,
  heapMib: 60,
  externalMib: 5,
  loopDelayMsP99: 3,
  loopDelayMsMax: 9,
  cpuCores: 0.7,
  jobsReady: 0,
  jobsHeld: 3,
  jobsWaiting: 500,
  oldestReadyS: 0,
  journalEvents: 1e6,
  diskMib: 900,
  walMib: 16,
  openFiles: 100,
  loadLateMsP99: 1,
  openCallsMax: 10,
};

/** An hour in which nothing happens but what `change` says of a minute. */
function hour(change: (minute: number) => Partial<Sample> = () => ({}), totals = {}): SoakResults {
  const minutes = Array.from({ length: 60 }, (_, at) => at + 1);
  return {
    machine: {
      date: "2026-11-22T12:00:00.000Z",
      cpu: "a processor",
      cores: 2,
      memoryGib: 24,
      node: "v26",
      kernel: "Linux",
      fileSystem: "ext4",
      commit: "abc",
    },
    note: null,
    minutes: 60,
    capacityPerS: [2_000, 2_100, 2_200],
    ratePerS: 1_000,
    retentionMinutes: 10,
    warmUpMinutes: 15,
    tookMinutes: 61,
    totals: {
      calls: 100,
      mailsExpected: 99,
      mailsArrived: 99,
      lost: 0,
      twice: 0,
      refusals: {},
      repeats: { count: 5, different: 0 },
      listSends: 2,
      outcomes: { SENT: 99, UNDELIVERABLE: 1 },
      refusedRecipients: 1,
      ...totals,
    },
    samples: columnsOf(minutes.map((minute) => ({ ...STILL, atS: minute * 60, ...change(minute) }))),
  };
}

function missed(results: SoakResults): readonly string[] {
  return judge(results).flatMap(({ ok, says }) => (ok ? [] : [says.split(":")[0] ?? says]));
}

test("an hour in which nothing grows has nothing to complain about, whatever the warm-up was", () => {
  assert.deepEqual(missed(hour()), []);
  assert.deepEqual(missed(hour((minute) => (minute < 15 ? { rssMib: 50, arriveMsP99: 60_000, diskMib: 1 } : {}))), []);
});

test("what grows by more than it may is found", () => {
  assert.deepEqual(missed(hour((minute) => ({ rssMib: 200 + 2 * minute }))), ["resident memory"]);
  assert.deepEqual(missed(hour((minute) => ({ diskMib: 900 + 3 * minute }))), ["disk"]);
  assert.deepEqual(missed(hour((minute) => ({ acceptMsP99: 8 + minute / 8 }))), ["accept, p99"]);
  assert.deepEqual(missed(hour((minute) => ({ openFiles: 100 + minute }))), [
    "open files and sockets, most in the last third, against the first",
  ]);
});

test("one moment of lag, one mail lost or sent twice, and one message without an outcome are found", () => {
  assert.deepEqual(missed(hour((minute) => (minute === 40 ? { timerLateMsP99: 6_000 } : {}))), [
    "lateness of timers, p99",
  ]);
  assert.deepEqual(missed(hour(undefined, { lost: 1, twice: 1 })), ["mails lost", "mails that came twice"]);
  assert.deepEqual(missed(hour(undefined, { outcomes: { SENT: 98 } })), [
    "messages with an outcome, of those accepted",
  ]);
});

test("the plot has a line for every figure, also where a sample is missing, and the page tells what was missed", () => {
  const results = hour((minute) => (minute === 30 ? { rssMib: Number.NaN, acceptMsP50: Number.NaN } : {}));
  const plot = plotOf(results);
  assert.equal(plot.match(/<path /g)?.length, 15);
  assert.doesNotMatch(plot, /NaN|undefined|Infinity/);
  assert.match(pageOf(results), /nothing grows/);
  assert.match(
    pageOf(hour(undefined, { lost: 1 })),
    /1 of 12 findings miss their aim[\s\S]*mails lost \| 1 \| 0 \| \*\*missed\*\*/,
  );
});

import { median } from "../measure.ts";
import type { SoakResults } from "./results.ts";
import type { Sample } from "./sample.ts";

export type Finding = {
  readonly says: string;
  readonly measured: string;
  readonly aim: string;
  readonly ok: boolean;
};

/** How much a figure may differ between the first and the last third of the time after the warm-up. */
const GROWTH_MAX = { memory: 0.1, disk: 0.05, latency: 0.25 };
const LAG_S_MAX = 5;
const OPEN_FILES_MORE_MAX = 20;

/** Whether nothing was lost and nothing grows. */
export function judge(results: SoakResults): readonly Finding[] {
  const { totals } = results;
  const refusals = Object.values(totals.refusals).reduce((sum, count) => sum + count, 0);
  const settled = Object.values(totals.outcomes).reduce((sum, count) => sum + count, 0);
  const due = totals.mailsExpected + totals.refusedRecipients;
  return [
    count("mails lost", totals.lost, 0),
    count("mails that came twice", totals.twice, 0),
    count("calls not answered 202", refusals, 0),
    count("repeated calls with another answer than the first", totals.repeats.different, 0),
    {
      says: "messages with an outcome, of those accepted",
      measured: `${whole(settled)} of ${whole(due)}`,
      aim: "all",
      ok: settled === due,
    },
    growth(results, "resident memory", "rssMib", "MiB", GROWTH_MAX.memory),
    growth(results, "disk", "diskMib", "MiB", GROWTH_MAX.disk),
    growth(results, "accept, p99", "acceptMsP99", "ms", GROWTH_MAX.latency),
    growth(results, "202 to the mail server, p99", "arriveMsP99", "ms", GROWTH_MAX.latency),
    lag(results, "202 to the mail server, p99", "arriveMsP99"),
    lag(results, "lateness of timers, p99", "timerLateMsP99"),
    openFiles(results),
  ];
}

function count(says: string, measured: number, most: number): Finding {
  return { says, measured: whole(measured), aim: String(most), ok: measured <= most };
}

function growth(results: SoakResults, says: string, name: keyof Sample, unit: string, most: number): Finding {
  const [first, last] = thirds(results, name);
  const from = median(first);
  const to = median(last);
  const grew = to / from - 1;
  return {
    says: `${says}: median of the last third after warm-up, against the first`,
    measured: `${figure(to)} against ${figure(from)} ${unit} (${grew >= 0 ? "+" : "−"}${Math.abs(grew * 100).toFixed(1)} %)`,
    aim: `at most +${most * 100} %`,
    ok: grew <= most,
  };
}

/** No sample may show it: neither mails nor timers wait for their turn. */
function lag(results: SoakResults, says: string, name: keyof Sample): Finding {
  const most = Math.max(0, ...afterWarmUp(results, name)) / 1000;
  return {
    says: `${says}: most of all samples`,
    measured: `${figure(most)} s`,
    aim: `at most ${LAG_S_MAX} s`,
    ok: most <= LAG_S_MAX,
  };
}

function openFiles(results: SoakResults): Finding {
  const [first, last] = thirds(results, "openFiles");
  const [from, to] = [Math.max(...first), Math.max(...last)];
  return {
    says: "open files and sockets, most in the last third, against the first",
    measured: `${to} against ${from}`,
    aim: `at most ${OPEN_FILES_MORE_MAX} more`,
    ok: to <= from + OPEN_FILES_MORE_MAX,
  };
}

/** @returns the first and the last third of what was measured after the warm-up. */
function thirds(results: SoakResults, name: keyof Sample): readonly [readonly number[], readonly number[]] {
  const values = afterWarmUp(results, name);
  const third = Math.max(1, Math.floor(values.length / 3));
  return [values.slice(0, third), values.slice(-third)];
}

export function afterWarmUp({ samples, warmUpMinutes }: SoakResults, name: keyof Sample): readonly number[] {
  return samples[name].flatMap((value, at) =>
    value !== null && (samples.atS[at] ?? 0) >= warmUpMinutes * 60 ? [value] : [],
  );
}

function figure(value: number): string {
  return Number.isFinite(value) ? (value >= 100 ? whole(value) : value.toPrecision(3)) : "?";
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

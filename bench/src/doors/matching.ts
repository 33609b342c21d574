import { compilePattern } from "../../../server/src/rules/pattern/compile.ts";
import { readEvent } from "../../../server/src/rules/pattern/event-leaves.ts";
import { RuleIndex } from "../../../server/src/rules/pattern/rule-index.ts";
import { median, steadyMs } from "../measure.ts";

/** What a mix of rules came to. */
export type Matched = {
  readonly mix: string;
  /** Events matched in a second of processor time, for each number of `RULES`: medians. */
  readonly perSecond: readonly number[];
  /** Rules that an event met, for each number of rules. */
  readonly met: readonly number[];
  /** What the most rules cost, as a multiple of what the fewest cost. */
  readonly ratio: number;
  /** How long compiling and adding the most of them took. */
  readonly buildMs: number;
};

/**
 * Events matched against 10, 1,000 and 10,000 rules, reading the event's text included, in mixes that are hard in different
 * ways. The sizes take turns, so that a busy moment of the machine falls on all of them.
 */
export function measureMatching({ rounds, roundMs }: { readonly rounds: number; readonly roundMs: number }): Matched[] {
  return MIXES.map((mix) => {
    let buildMs = 0;
    const worlds = RULES.map((rules) => {
      const startedMs = steadyMs();
      const index = indexOf(mix, rules);
      buildMs = steadyMs() - startedMs;
      return { index, events: Array.from({ length: EVENTS }, (_, n) => mix.event((n * STRIDE) % rules)) };
    });
    // The first makes it warm.
    const turns = Array.from({ length: rounds + 1 }, () =>
      worlds.map(({ index, events }) => round(index, events, roundMs)),
    ).slice(1);
    const perSecond = worlds.map((_, size) => median(turns.map((turn) => turn[size]?.perSecond ?? Number.NaN)));
    const met = worlds.map((_, size) => turns[0]?.[size]?.met ?? Number.NaN);
    const ratio = (perSecond[0] ?? Number.NaN) / (perSecond.at(-1) ?? Number.NaN);
    return { mix: mix.name, perSecond, met, ratio, buildMs };
  });
}

export const RULES = [10, 1_000, 10_000];
const EVENTS = 500;
/** Events are for rules from all over, not for the first ones; prime, so that they are different rules. */
const STRIDE = 7919;
/** Ten thousand rules may cost this many times what ten cost. */
export const COST_RATIO_MAX = 2;

type Made = { readonly source: string; readonly type: string; readonly detail: string };
type Mix = {
  readonly name: string;
  /** The pattern of the n-th rule. */
  readonly pattern: (n: number) => unknown;
  /** An event that the n-th rule wants. */
  readonly event: (n: number) => Made;
};

const MIXES: readonly Mix[] = [
  {
    name: "one customer each",
    pattern: (n) => ({
      source: ["shop"],
      "detail-type": ["order.placed", "order.changed"],
      detail: { customer: { id: [`c-${n}`] } },
    }),
    event: (n) => order(n, { customer: { id: `c-${n}`, plan: "pro" }, total: 12.5 + n }),
  },
  {
    name: "prefixes, suffixes, wildcards",
    pattern: (n) => ({
      source: ["shop"],
      detail: {
        path: [
          [{ prefix: `/tenants/${n}/` }],
          [{ suffix: `/tenants/${n}.json` }],
          [{ wildcard: `/*/tenants/${n}/*.png` }],
          [{ "equals-ignore-case": `/Tenants/${n}` }],
        ][n % 4],
      },
    }),
    event: (n) =>
      order(n, {
        path: [`/tenants/${n}/photos/1`, `/export/tenants/${n}.json`, `/eu/tenants/${n}/logo.png`, `/TENANTS/${n}`][
          n % 4
        ],
      }),
  },
  {
    name: "one numeric range each",
    pattern: (n) => ({
      source: ["shop"],
      "detail-type": ["order.placed"],
      detail: { total: [{ numeric: [">=", n * 10, "<", n * 10 + 10] }], state: [{ "anything-but": "test" }] },
    }),
    event: (n) => order(n, { total: n * 10 + 4.75, state: "open" }),
  },
  {
    name: "all kinds, $or, arrays",
    pattern: (n) => ({
      source: [`service-${n % 40}`],
      $or: [
        {
          "detail-type": [`thing-${n % 97}.made`],
          detail: { lines: { sku: [`K-${n}`], qty: [{ numeric: [">", 1] }] } },
        },
        { detail: { owner: [`user-${n}`], deleted: [{ exists: false }] } },
      ],
    }),
    event: (n) => ({
      ...order(n, {
        owner: `user-${n + 1}`,
        lines: [
          { sku: `K-${n}`, qty: 2 },
          { sku: "K-x", qty: 1 },
        ],
      }),
      source: `service-${n % 40}`,
      type: `thing-${n % 97}.made`,
    }),
  },
];

function order(n: number, detail: object): Made {
  const around = {
    order: `o-${n}`,
    placed: "2026-11-22T10:00:00Z",
    note: "leave it at the door, please",
    items: [1, 2, 3],
  };
  return {
    source: "shop",
    type: "order.placed",
    detail: JSON.stringify({ ...around, ...detail, shipping: { city: "Oslo", zip: "0150" } }),
  };
}

function indexOf(mix: Mix, rules: number): RuleIndex<number> {
  const index = new RuleIndex<number>();
  for (let n = 0; n < rules; n += 1) {
    const pattern = compilePattern(JSON.stringify(mix.pattern(n)));
    if (pattern.kind === "invalid") throw new Error(`${mix.name}: ${pattern.reason}`);
    index.add(n, pattern);
  }
  return index;
}

/** One round: events a second, and how many rules an event met. */
function round(
  index: RuleIndex<number>,
  events: readonly Made[],
  roundMs: number,
): { readonly perSecond: number; readonly met: number } {
  const startedMs = busyMs();
  let [matched, met, takenMs] = [0, 0, 0];
  do {
    for (const { source, type, detail } of events) {
      const envelope = {
        version: "0",
        id: "e-1",
        source,
        "detail-type": type,
        account: "000000000000",
        region: "us-east-1",
      };
      const leaves = readEvent(envelope, detail, index.wanted);
      if (leaves === null) throw new Error("an event of the benchmark cannot be read");
      met += index.match(leaves).length;
    }
    matched += events.length;
    takenMs = busyMs() - startedMs;
  } while (takenMs < roundMs);
  return { perSecond: (matched * 1000) / takenMs, met: met / matched };
}

/** Milliseconds that this thread has had of a processor: neighbours on the machine then trouble the figures less. */
function busyMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

import { createInterface } from "node:readline";
import { Counts } from "./counts.ts";
import { type SmtpSink, startSmtpSink } from "../smtp-sink.ts";

/**
 * The mail sink for very many mails: it keeps a byte for each number of each burst and the time of a few. A line of
 * `SinkAsk` in, a line of JSON out, until the end of stdin. `SinkOptions` as JSON on argv.
 */
export type SinkOptions = {
  readonly chunking: boolean;
  /** Bursts whose mails are timed, each in so many. */
  readonly timed: Readonly<Record<string, number>>;
  /** Bursts whose recipients do not exist (550). */
  readonly refused: readonly string[];
  /** Bursts whose recipients are to be tried again the first time (451). */
  readonly busy: readonly string[];
};

export type SinkAsk =
  | { readonly ask: "stats" }
  /** Mails that were timed since the last such question. */
  | { readonly ask: "timed" }
  /** How many numbers of this burst have come. */
  | { readonly ask: "distinct"; readonly burst: string }
  | {
      readonly ask: "check";
      readonly burst: string;
      readonly until: number;
      readonly expected: number;
      readonly unsure: readonly number[];
    };

/** When a mail's last byte was read, in ms of the machine's steady clock. */
export type TimedMail = readonly [burst: string, index: number, atMs: number];

const options = JSON.parse(process.argv[2] ?? "{}") as SinkOptions;
const bursts = new Map<string, Counts>();
const triedOnce = new Set<string>();
const refused = new Set(options.refused);
const busy = new Set(options.busy);
let timed: TimedMail[] = [];
let last: { burst: string; counts: Counts } | null = null;

function countsOf(burst: string): Counts {
  if (last?.burst === burst) return last.counts;
  let counts = bursts.get(burst);
  if (counts === undefined) bursts.set(burst, (counts = new Counts()));
  last = { burst, counts };
  return counts;
}

function onMail(recipients: readonly string[], atMs: number): void {
  for (const recipient of recipients) {
    const { burst, index } = partsOf(recipient);
    countsOf(burst).add(index);
    const every = options.timed[burst];
    if (every !== undefined && index % every === 0) timed.push([burst, index, atMs]);
  }
}

function refuse(recipient: string): string | null {
  if (refused.size + busy.size === 0) return null;
  const { burst } = partsOf(recipient);
  if (refused.has(burst)) return "550 5.1.1 No such person\r\n";
  if (!busy.has(burst) || triedOnce.delete(recipient)) return null;
  triedOnce.add(recipient);
  return "451 4.2.1 Come again later\r\n";
}

/** Undoes `addressOf` of mail.ts: `person-BURST-INDEX@example.org`. */
function partsOf(recipient: string): { burst: string; index: number } {
  const at = recipient.indexOf("@");
  const dash = recipient.lastIndexOf("-", at);
  return { burst: recipient.slice(recipient.indexOf("-") + 1, dash), index: Number(recipient.slice(dash + 1, at)) };
}

function answer(sink: SmtpSink, ask: SinkAsk): unknown {
  switch (ask.ask) {
    case "stats":
      return sink.stats();
    case "timed": {
      const told = timed;
      timed = [];
      return told;
    }
    case "distinct":
      return countsOf(ask.burst).distinct;
    case "check":
      return countsOf(ask.burst).check(ask.until, ask.expected, new Set(ask.unsure));
  }
}

const sink = await startSmtpSink({ chunking: options.chunking, onMail, refuse });
const print = (value: unknown): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
print({ port: sink.port });
for await (const line of createInterface({ input: process.stdin })) print(answer(sink, JSON.parse(line) as SinkAsk));
await sink.close();

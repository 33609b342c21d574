import { createServer } from "node:net";
import { sleep } from "../children.ts";
import { addressOf } from "../mail.ts";
import { type Spread, spread } from "../measure.ts";
import { msOf } from "../terminal.ts";
import { KEY } from "../tidings.ts";
import { House, Load } from "./house.ts";
import type { SteadyJob, SteadyResult } from "./load.ts";

/** From the answer of PutEvents to where the event came out, at low load. */
export type Lag = { readonly target: string; readonly ms: Spread; readonly lost: number; readonly twice: number };

export type LagOptions = { readonly perSecond: number; readonly forS: number };

const QUEUE = "lag";
const TYPES = { queue: "lag.queue", hook: "lag.hook", send: "lag.send" } as const;
const BURSTS = { queue: "q", hook: "h", send: "s" } as const;
/** How long the last mail may take. */
const MAIL_MS_MAX = 2_000;
/** Events before those that count. */
const WARM_UP = 40;

/** One server, one rule for each target; one target after the other. */
export async function measureLag(
  { perSecond, forS }: LagOptions,
  say: (line: string) => void,
): Promise<readonly Lag[]> {
  await using parts = new AsyncDisposableStack();
  const load = parts.use(new Load());
  const house = parts.use(await House.start());
  const hookPort = await freePort();
  await house.createQueue(QUEUE);
  await house.call("PUT", "/rules/default/to-queue", {
    pattern: { "detail-type": [TYPES.queue] },
    targets: [{ queue: QUEUE }],
  });
  await house.call("POST", "/webhooks", {
    ...{ id: "lag", url: `http://127.0.0.1:${hookPort}/`, bus: "default", allowPrivate: true },
    pattern: { "detail-type": [TYPES.hook] },
  });
  await house.call("PUT", "/rules/default/to-send", { pattern: { "detail-type": [TYPES.send] }, targets: [MAIL] });
  await house.rulesDone();

  const found: Lag[] = [];
  const measure = async (what: keyof typeof TYPES, target: string, at: SteadyJob["at"]): Promise<void> => {
    const { place } = house;
    const ask = { place, key: KEY, type: TYPES[what], perSecond, at };
    await load.steady({ ...ask, burst: `${BURSTS[what]}w`, events: WARM_UP, perSecond: perSecond * 4 });
    const burst = BURSTS[what];
    const result = await load.steady({ ...ask, burst, events: perSecond * forS });
    const lag = lagOf(target, what === "send" ? await mailsOf(house, burst, result) : result);
    found.push(lag);
    say(`${target}: ${msOf(lag.ms)} · lost ${lag.lost}, twice ${lag.twice}`);
  };
  await measure("queue", "a queue: a long poll of SQS returns it", { queue: QUEUE });
  await measure("hook", "a webhook is called with it", { hookPort });
  await measure("send", "a send: its mail is at the mail server", null);
  return found;
}

/** Burst and index in the address, by which the mail is found at the sink. */
const MAIL = {
  send: {
    message: {
      to: { email: addressOf("<burst>", 0).replace("-0@", "-<index>@") },
      content: { title: "Order {order}", body: "Thank you for your order {order}." },
      data: { order: "<order>" },
    },
    paths: { burst: "$.detail.burst", index: "$.detail.index", order: "$.detail.order" },
  },
};

async function mailsOf({ sink }: House, burst: string, { answeredMs }: SteadyResult): Promise<SteadyResult> {
  // A second mail to somebody would have come by then as well.
  await sleep(MAIL_MS_MAX);
  const came = Map.groupBy(await sink.recorded(), ({ recipients }) => recipients[0] ?? "");
  const mails = answeredMs.map((_, index) => came.get(addressOf(burst, index)) ?? []);
  const twice = mails.reduce((sum, { length }) => sum + Math.max(0, length - 1), 0);
  return { answeredMs, cameMs: mails.map(([first]) => first?.atMs ?? null), twice };
}

function lagOf(target: string, { answeredMs, cameMs, twice }: SteadyResult): Lag {
  // NaN has come through JSON as null.
  const took = cameMs.flatMap((ms, index) => (ms === null ? [] : ms - (answeredMs[index] ?? Number.NaN)));
  return { target, ms: spread(took), lost: answeredMs.length - took.length, twice };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

import { type Burst, measureBurst } from "./burst.ts";
import { scriptFile, start } from "./children.ts";
import type { RawResult } from "./raw-nodemailer.ts";
import { Sink, type SinkOffer } from "./sink.ts";

/** The yardstick: a nodemailer pool that is handed mails as fast as it takes them. */
export async function burstOfNodemailer(
  connections: number,
  offer: SinkOffer,
  warmUp: number,
  sends: number,
): Promise<Burst> {
  await using sink = await Sink.start(offer);
  const child = start([scriptFile("raw-nodemailer.ts"), JSON.stringify({ sinkPort: sink.port, connections })]);
  await using parts = new AsyncDisposableStack();
  parts.defer(() => child.end());
  await child.ask(JSON.stringify({ burst: "warm", sends: warmUp }));
  return await measureBurst(child.pid, sink, "b", sends, async (burst, count, arrived) => {
    const { startMs, endMs } = (await child.ask(JSON.stringify({ burst, sends: count }))) as RawResult;
    await arrived();
    return { startMs, endMs, sentMs: null, accepts: null };
  });
}

import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { scriptFile, start, workFolder } from "./children.ts";
import { type Spread, spread, steadyMs } from "./measure.ts";
import { CONNECTIONS, startLoad } from "./system.ts";

/** What this machine can do at most, so that a number elsewhere can be read. */
export type Limits = {
  /** 4 KiB appended to a file and fsynced, one after the other. */
  readonly fsyncMs: Spread;
  /** One byte there and back over loopback, between two processes. */
  readonly echoMs: Spread;
  /** node:http that reads the same bodies and answers 202, and nothing else. */
  readonly httpPerSecond: number;
  readonly httpMs: Spread;
  /** The SQLite driver without anything around it: whole lives of messages per second, by batch. */
  readonly storeLivesPerSecond: Readonly<Record<string, number>>;
};

const FSYNCS = 1_000;
const ECHOES = 2_000;
const HTTP_CALLS = 20_000;

export async function measureLimits(): Promise<Limits> {
  const fsyncMs = measureFsync();
  const echoMs = await measureEcho();
  const child = start([scriptFile("bare-http.ts")]);
  await using parts = new AsyncDisposableStack();
  parts.defer(() => child.end());
  const { port } = (await child.hear()) as { port: number };
  await using load = startLoad();
  const job = { host: "127.0.0.1", port, path: "/send", key: "none", connections: CONNECTIONS, gapMs: 0 };
  await load.run({ ...job, burst: "warm", sends: HTTP_CALLS / 4 });
  const { startMs, endMs, sentMs, acceptedMs } = await load.run({ ...job, burst: "b", sends: HTTP_CALLS });
  return {
    fsyncMs,
    echoMs,
    httpPerSecond: (HTTP_CALLS / (endMs - startMs)) * 1000,
    httpMs: spread(acceptedMs.map((ms, i) => ms - (sentMs[i] ?? 0))),
    storeLivesPerSecond: await measureStore(),
  };
}

export function measureFsync(): Spread {
  const file = openSync(join(workFolder(), "append"), "a");
  const block = Buffer.alloc(4096, 1);
  const took = Array.from({ length: FSYNCS }, () => {
    const startMs = steadyMs();
    writeSync(file, block);
    fdatasyncSync(file);
    return steadyMs() - startMs;
  });
  closeSync(file);
  return spread(took);
}

export async function measureEcho(): Promise<Spread> {
  const child = start([scriptFile("bare-http.ts")]);
  await using parts = new AsyncDisposableStack();
  parts.defer(() => child.end());
  const { echoPort: port } = (await child.hear()) as { echoPort: number };
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  const took: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    const startMs = steadyMs();
    await new Promise<void>((resolve, reject) => {
      socket.once("data", () => resolve());
      socket.once("error", reject);
      socket.write("x");
    });
    took.push(steadyMs() - startMs);
    socket.removeAllListeners("error");
  }
  socket.destroy();
  return spread(took.slice(ECHOES / 4));
}

/** Rows as `store.ts` prints them: | layout | batch | lives/s | … */
async function measureStore(): Promise<Readonly<Record<string, number>>> {
  const child = start([scriptFile("store.ts"), workFolder(), "worker"]);
  const perSecond: Record<string, number> = {};
  for (let row = 0; row < 4; row++) {
    const [, , batch = "", lives = ""] = (await child.hearText()).split("|").map((cell) => cell.trim());
    perSecond[batch] = Number(lives);
  }
  await child.end();
  return perSecond;
}

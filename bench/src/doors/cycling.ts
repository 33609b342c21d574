import { countOf } from "../terminal.ts";
import { type Client, type Contestant, CONTESTANTS, type Server } from "./contestants.ts";
import type { CycleResult } from "./cycles.ts";
import { Load } from "./house.ts";
import { cpuOf } from "../measure.ts";

/** One way of asking: by which client, how many loops at once, how many messages a call. */
export type Way = { readonly client: Client; readonly loops: number; readonly batch: number };
export type Cycled = CycleResult & { readonly perSecond: number; readonly cpuUs: number | null };

export type Cycling = {
  readonly ways: readonly Way[];
  /** By `wayKey` and the contestant's key, one for each round. */
  readonly rounds: Readonly<Record<string, Readonly<Record<string, readonly Cycled[]>>>>;
  /** What could not be run, and why. */
  readonly missing: readonly string[];
};

export const WAYS: readonly Way[] = (["json", "query", "sdk"] as const).flatMap((client) =>
  [1, 10].flatMap((batch) => [16, 64].map((loops) => ({ client, loops, batch }))),
);

export function wayKey({ client, loops, batch }: Way): string {
  return `${client}-${loops}-${batch}`;
}

/** Every server in turn, for each way that it can be asked. Servers that rest cost the others nothing. */
export async function measureCycles(
  { rounds, forMs, warmUpMs }: { readonly rounds: number; readonly forMs: number; readonly warmUpMs: number },
  ways: readonly Way[],
  say: (line: string) => void,
): Promise<Cycling> {
  const found: Record<string, Record<string, Cycled[]>> = {};
  const missing: string[] = CONTESTANTS.flatMap(({ cannot }) => cannot ?? []);
  await using parts = new AsyncDisposableStack();
  const servers: { readonly contestant: Contestant; readonly server: Server }[] = [];
  for (const contestant of CONTESTANTS) {
    try {
      const server = await contestant.start();
      parts.defer(() => server.end());
      servers.push({ contestant, server });
    } catch (error) {
      missing.push(`${contestant.name}: does not start: ${textOf(error)}`);
    }
  }
  let load = new Load();
  parts.defer(() => load[Symbol.asyncDispose]());
  /** What failed once is not asked for again. */
  const failed = new Set<string>();
  let bursts = 0;
  const attempt = async (way: Way, at: (typeof servers)[number], ms: number): Promise<Cycled | null> => {
    const { contestant, server } = at;
    const what = `${contestant.key}/${wayKey(way)}`;
    if (failed.has(what)) return null;
    try {
      const { place, queueUrl, pid } = server;
      const before = cpuOf(pid);
      const result = await load.cycles({ ...way, place, queueUrl, burst: `c${bursts++}`, forMs: ms });
      const after = cpuOf(pid);
      const cpuUs = before === null || after === null ? null : (after.wholeUs - before.wholeUs) / result.messages;
      return { ...result, perSecond: (result.messages / result.tookMs) * 1000, cpuUs };
    } catch (error) {
      failed.add(what);
      // It may have ended, or have calls left open.
      await load[Symbol.asyncDispose]();
      load = new Load();
      missing.push(`${contestant.name}, ${nameOf(way)}: ${textOf(error)}`);
      return null;
    }
  };
  for (let round = 0; round <= rounds; round++) {
    for (const way of ways) {
      for (const at of servers) {
        const { contestant } = at;
        if (!contestant.clients.includes(way.client) || (way.batch > 1 && !contestant.batches)) continue;
        const one = await attempt(way, at, round === 0 ? warmUpMs : forMs);
        // The first time round makes it warm.
        if (one === null || round === 0) continue;
        ((found[wayKey(way)] ??= {})[contestant.key] ??= []).push(one);
        say(
          `round ${round}/${rounds}: ${nameOf(way)}: ${contestant.name}: ${countOf(one.perSecond)}/s, ${one.cpuUs?.toFixed(0)} µs CPU · lost ${one.lost}, twice ${one.twice}, empty ${one.empty}`,
        );
      }
    }
  }
  return { ways, rounds: found, missing };
}

const CLIENTS: Readonly<Record<Client, string>> = {
  json: "JSON protocol",
  query: "Query protocol",
  sdk: "AWS SDK v3",
};

export function nameOf({ client, loops, batch }: Way): string {
  return `${CLIENTS[client]}, ${batch === 1 ? "single" : `batches of ${batch}`}, ${loops} loops`;
}

function textOf(error: unknown): string {
  // A child's last words: the line that names the error.
  const text = error instanceof Error ? error.message : String(error);
  return /^\w*Error: .*$/m.exec(text)?.[0].slice(0, 200) ?? text.slice(0, 200);
}

import { cpuOf, type Spread } from "../measure.ts";
import { KEY } from "../tidings.ts";
import { type Door, DOORS } from "./doors.ts";
import { House, Load } from "./house.ts";

/** What a door came to in one round. @property cpuUs of the server for one event. */
export type Accepted = { readonly perSecond: number; readonly cpuUs: number | null; readonly ms: Spread };

export type Accepting = {
  /** By the key of the door, one for each round. */
  readonly rounds: Readonly<Record<string, readonly Accepted[]>>;
  /** Answered with yes, and not on the disk once; by the key of the door. */
  readonly lost: Readonly<Record<string, number>>;
};

const CONNECTIONS = 64;

/**
 * Every door in turn on one server. Afterwards the server is ended and its disk is asked how much of each is there.
 *
 * @param calls of a burst, for doors that take one event a call; batches take as many events and twice more.
 */
export async function measureDoors(
  { calls, rounds, warmUp, doors = DOORS, nodeArgs = [] }: AcceptOptions,
  say: (line: string) => void,
): Promise<Accepting> {
  const found: Record<string, Accepted[]> = {};
  const sent: Record<string, number> = {};
  let house: House;
  {
    await using load = new Load();
    house = await House.start({ nodeArgs });
    try {
      for (const { kept } of doors) if (kept.as === "message") await house.createQueue(kept.queue);
      const burst = async (door: Door, name: string, events: number): Promise<Accepted> => {
        const { place, pid } = house;
        const count = Math.ceil(events / door.perCall);
        const before = cpuOf(pid);
        const ask = { place, key: KEY, door: door.key, burst: name, calls: count, connections: CONNECTIONS };
        const { startMs, endMs, ms } = await load.accept(ask);
        const after = cpuOf(pid);
        const brought = count * door.perCall;
        sent[door.key] = (sent[door.key] ?? 0) + brought;
        const cpuUs = before === null || after === null ? null : (after.wholeUs - before.wholeUs) / brought;
        return { perSecond: (brought / (endMs - startMs)) * 1000, cpuUs, ms };
      };
      for (const door of doors) await burst(door, "warm", warmUp * (door.perCall > 1 ? BATCHED_MORE : 1));
      for (let round = 1; round <= rounds; round++) {
        for (const door of doors) {
          const one = await burst(door, `r${round}`, calls * (door.perCall > 1 ? BATCHED_MORE : 1));
          (found[door.key] ??= []).push(one);
          say(
            `round ${round}/${rounds}: ${door.name}: ${Math.round(one.perSecond)}/s, ${one.cpuUs?.toFixed(0)} µs CPU, ${one.ms.p50.toFixed(1)} ms (p99 ${one.ms.p99.toFixed(1)})`,
          );
        }
      }
    } finally {
      await house[Symbol.asyncDispose]();
    }
  }
  const lost = Object.fromEntries(doors.map(({ key, kept }) => [key, (sent[key] ?? 0) - house.kept(kept)]));
  return { rounds: found, lost };
}

/** Batches take so many times the events of single calls, or they were over before they began. */
const BATCHED_MORE = 3;

export type AcceptOptions = {
  readonly calls: number;
  readonly rounds: number;
  readonly warmUp: number;
  readonly doors?: readonly Door[];
  readonly nodeArgs?: readonly string[];
};

import { cpuOf, steadyMs } from "../measure.ts";
import { countOf } from "../terminal.ts";
import { KEY } from "../tidings.ts";
import { House, Load } from "./house.ts";

/** Events through the matcher: from the first call to where the matcher has passed all of them. */
export type Flowed = { readonly perSecond: number; readonly acceptedPerSecond: number; readonly cpuUs: number | null };
export type Flowing = {
  /** By the number of rules, one for each round. */
  readonly rounds: Readonly<Record<string, readonly Flowed[]>>;
  /** Events whose message is not in the queue once; by the number of rules. */
  readonly lost: Readonly<Record<string, number>>;
};

export const RULES = [10, 10_000] as const;
const CONNECTIONS = 64;
const HOT = "hot";
/** Rules that are put at once. */
const HANDS = 32;

/** Two servers, in turn: one rule of all wants the events and puts them into a queue. */
export async function measureFlow(
  { events, rounds, warmUp }: { readonly events: number; readonly rounds: number; readonly warmUp: number },
  say: (line: string) => void,
): Promise<Flowing> {
  const found: Record<string, Flowed[]> = {};
  const sent: Record<string, number> = {};
  const houses: { readonly rules: number; readonly house: House }[] = [];
  {
    await using parts = new AsyncDisposableStack();
    const load = parts.use(new Load());
    for (const rules of RULES) {
      const house = parts.use(await House.start());
      const startMs = steadyMs();
      await putRules(house, rules);
      say(`${countOf(rules)} rules put in ${countOf(steadyMs() - startMs)} ms`);
      houses.push({ rules, house });
    }
    for (let round = 0; round <= rounds; round++) {
      for (const { rules, house } of houses) {
        const count = round === 0 ? warmUp : events;
        const calls = Math.ceil(count / 10);
        const before = cpuOf(house.pid);
        const { place } = house;
        const ask = {
          place,
          key: KEY,
          door: "put-events-10",
          burst: `f${round}`,
          calls,
          connections: CONNECTIONS,
        } as const;
        const { startMs, endMs } = await load.accept(ask);
        await house.rulesDone();
        const doneMs = steadyMs();
        const after = cpuOf(house.pid);
        sent[rules] = (sent[rules] ?? 0) + calls * 10;
        if (round === 0) continue;
        const one: Flowed = {
          perSecond: (calls * 10_000) / (doneMs - startMs),
          acceptedPerSecond: (calls * 10_000) / (endMs - startMs),
          cpuUs: before === null || after === null ? null : (after.wholeUs - before.wholeUs) / (calls * 10),
        };
        (found[rules] ??= []).push(one);
        say(
          `round ${round}/${rounds}: ${countOf(rules)} rules: ${countOf(one.perSecond)} events/s through the matcher (accepted ${countOf(one.acceptedPerSecond)}/s), ${one.cpuUs?.toFixed(0)} µs CPU`,
        );
      }
    }
  }
  const lost = Object.fromEntries(
    houses.map(({ rules, house }) => [rules, (sent[rules] ?? 0) - house.kept({ as: "message", queue: HOT })]),
  );
  return { rounds: found, lost };
}

async function putRules(house: House, rules: number): Promise<void> {
  await house.createQueue(HOT);
  const put = async (name: string, customer: string): Promise<void> => {
    const pattern = { "detail-type": ["order.placed"], detail: { customer: { id: [customer] } } };
    await house.call("PUT", `/rules/default/${name}`, { pattern, targets: [{ queue: HOT }] });
  };
  // In the middle of the others.
  const middle = rules >> 1;
  let next = 0;
  await Promise.all(
    Array.from({ length: HANDS }, async () => {
      while (next < rules) {
        const n = next++;
        await put(`rule-${n}`, n === middle ? HOT_CUSTOMER : `c-${n}`);
      }
    }),
  );
  await house.rulesDone();
}

/** Of `orderData`. */
const HOT_CUSTOMER = "c-hot";

import { writeSync } from "node:fs";
import { systemClock } from "#drivers/system/clock.ts";
import { openCrashStore } from "../support/crash-store.ts";
import { AT_ONCE, BY_JOB, foreign, RulesWorld, target, wish } from "../support/rules-world.ts";

/**
 * `rules-child.ts <path> <first number>`: events flow and rules come, change and go, side by side and without end. Says the
 * number of each event once it is promised.
 */
const [, , path, first] = process.argv;
if (path === undefined || first === undefined) throw new Error("a path and a number are needed");
const clock = systemClock();
const world = await RulesWorld.start(await openCrashStore(path, clock), clock);
const { rules } = world.rules.desk;

let number = Number(first);
async function events(): Promise<never> {
  for (;;) {
    const own = number++;
    await world.append(foreign(`e${own}`, { kind: own % 2 === 0 ? "a" : "b" }));
    writeSync(1, `${own}\n`);
  }
}

async function changes(name: string): Promise<never> {
  for (let round = 0; ; round += 1) {
    const kinds = [["a"], ["b"], ["a", "b"]][round % 3] ?? [];
    const targets = [target("t", AT_ONCE), target("u", BY_JOB)].slice(round % 2);
    if (round % 7 === 6) await rules.remove({ bus: "default", name }, true);
    else if (round % 5 === 4) await rules.setState({ bus: "default", name }, "DISABLED");
    else await rules.putWhole({ ...wish(name, kinds), targets });
  }
}

await Promise.all([...Array.from({ length: 8 }, events), changes("one"), changes("two")]);

import { writeSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { event, job, LEASE_MS, message, birth, request } from "#conformance/store-world.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import type { Unit } from "#ports/store.ts";

/** `store-child.ts <path> <first number>`: commits without end and prints the number of each unit once it is promised. */
const [, , path, first] = process.argv;
if (path === undefined || first === undefined) throw new Error("a path and a number are needed");
const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (): never => {
    throw new Error("not needed");
  },
};
const store = await openSqliteStore({ path, clock });

/** One unit touches what must never be apart. */
function unit(number: number): Unit {
  return {
    requests: [request(number)],
    messages: [birth(message(number), job(`j${number}`, { heldForMs: LEASE_MS }), [event(`s${number}`)])],
    puts: [
      {
        collection: "crash",
        id: `d${number}`,
        body: `"${"x".repeat(300)}"`,
        when: "always",
        nowMs: 1,
        terms: [["n", `${number}`]],
      },
    ],
  };
}

let number = Number(first);
async function flow(): Promise<never> {
  for (;;) {
    const size = 1 + (number % 40);
    const numbers = Array.from({ length: size }, () => number++);
    await store.commit(numbers.map(unit));
    writeSync(1, `${numbers.join("\n")}\n`);
  }
}
await Promise.all([flow(), flow()]);

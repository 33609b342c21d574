import { setTimeout as wait } from "node:timers/promises";
import type { Scenario, Stage } from "./stage.ts";

/** Between two deaths; long enough that work is in hand again. */
const LIFE_MS = { min: 1_500, max: 4_000 };
const KILLS = { quick: 1, full: 6 };

/** SIGKILL to the process of a node, and a new one in its place. */
export const killWorker: Scenario = {
  name: "kill-worker",
  says: "A worker of two is killed with SIGKILL again and again, and started again. What it held is ready when its leases are over.",
  cluster: { nodes: { api: "api", w1: "worker", w2: "worker" } },
  callMsMax: 5_000,
  run: (stage) => killAgainAndAgain(stage, ["w1", "w2"]),
};

export const killApi: Scenario = {
  name: "kill-api",
  says: "An api node of two is killed with SIGKILL again and again, and started again. Clients whose connection breaks repeat their call with its key through the other.",
  cluster: { nodes: { a1: "api", a2: "api", worker: "worker" } },
  callMsMax: 5_000,
  run: (stage) => killAgainAndAgain(stage, ["a1", "a2"]),
};

async function killAgainAndAgain(stage: Stage, names: readonly string[]): Promise<void> {
  for (let kill = 0; kill < KILLS[stage.pace]; kill += 1) {
    await wait(stage.between(LIFE_MS.min, LIFE_MS.max));
    const name = names[kill % names.length] ?? "";
    await stage.trouble(async () => {
      await stage.cluster.kill(name);
      await stage.cluster.start(name);
    });
  }
  await wait(LIFE_MS.min);
}

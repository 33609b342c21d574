import { setTimeout as wait } from "node:timers/promises";
import { LEASE_MS } from "#engine/limits.ts";
import type { Program } from "../support/program.ts";
import { until } from "../support/until.ts";
import { EventLoad } from "./event-load.ts";
import type { Scenario, Stage } from "./stage.ts";

const KILLS = { quick: 1, full: 3 };
const LIFE_MS = 3_000;
/** A lease, and the look for what is over. */
const TAKEN_OVER_MS_MAX = LEASE_MS + 15_000;
const SLOWEST = "slowest until events were matched again";

export const killMatcher: Scenario = {
  name: "kill-matcher",
  says:
    "Of three nodes the one that matches events is killed with SIGKILL and started again, while producers send events through all of " +
    "them and receivers take what rules put into queues; a rule is made while nobody matches. In the end every event was put once " +
    "into the queue of each rule of its place in the journal.",
  cluster: { nodes: { one: "all", two: "all", three: "all" } },
  callMsMax: 5_000,
  async run(stage) {
    const events = await EventLoad.start(stage);
    await events.rule("first", "a");
    let slowestMs = 0;
    for (let kill = 0; kill < KILLS[stage.pace]; kill += 1) {
      await wait(LIFE_MS);
      const name = await matching(stage);
      const killedMs = performance.now();
      await stage.trouble(async () => {
        await stage.cluster.kill(name);
        await stage.cluster.start(name);
      });
      await events.rule(`late${kill}`, kill % 2 === 0 ? "b" : "a");
      await matching(stage);
      slowestMs = Math.max(slowestMs, performance.now() - killedMs);
    }
    await wait(LIFE_MS);
    stage.notes[SLOWEST] = `${(slowestMs / 1_000).toFixed(1)} s`;
    stage.notes["messages put into queues by rules"] = await events.audit();
    stage.notes["events"] = events.accepted;
  },
};

/** The node whose count of matched events rises next. */
async function matching({ cluster }: Stage): Promise<string> {
  const names = [...cluster.all.keys()];
  const counts = (): Promise<number[]> => Promise.all(names.map((name) => matchedBy(cluster.node(name))));
  const before = await counts();
  return await until(
    "somebody matches",
    async () => {
      const now = await counts();
      return names.find((_, at) => (now[at] ?? 0) > (before[at] ?? 0)) ?? null;
    },
    TAKEN_OVER_MS_MAX,
  );
}

async function matchedBy(node: Program): Promise<number> {
  const text = await (await node.call("GET", "/metrics")).text();
  const counts = text.matchAll(/^tidings_rule_matched_total\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

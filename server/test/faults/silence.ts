import { setTimeout as wait } from "node:timers/promises";
import { until } from "../support/until.ts";
import { goesOn } from "./database.ts";
import { cannotMakeNamespaces } from "./namespace.ts";
import { type Scenario, sentBy, type Stage } from "./stage.ts";

const BEFORE_MS = 3_000;
/** Past a lease of thirty seconds: others have the work by then. Quick: within it. */
const SILENT_MS = { quick: 6_000, full: 45_000 };
/** Until a node finds out that nobody answers it, twice five seconds, behind calls that do the same. */
const CUT_CALL_MS_MAX = 25_000;
const NODES = { api: "api", victim: "all", worker: "worker" } as const;

export const cutOff: Scenario = {
  name: "cut-off",
  says:
    "What lies between one node and the database is cut, past its leases, and made whole again: nothing gets through, nobody is told, " +
    "and what was on the way arrives late (a TCP proxy that holds every byte).",
  cluster: { nodes: NODES, cuttable: { node: "victim", by: "proxy" } },
  callMsMax: CUT_CALL_MS_MAX,
  run: (stage) => cut(stage),
};

export const unplugged: Scenario = {
  name: "unplugged",
  says: "The same with a network namespace whose cable to the database is pulled: packets are lost, and kernels send again what they have when it is back.",
  cannot: cannotMakeNamespaces,
  cluster: { nodes: NODES, cuttable: { node: "victim", by: "namespace" } },
  callMsMax: CUT_CALL_MS_MAX,
  run: (stage) => cut(stage),
};

async function cut(stage: Stage): Promise<void> {
  await wait(BEFORE_MS);
  const refusedBefore = await stage.metric(REFUSED);
  await stage.trouble(async () => {
    await stage.cluster.between.cut();
    await saysSo(stage, SILENT_MS[stage.pace]);
    await stage.cluster.between.mend();
  });
  await tellsOfLateCommits(stage, refusedBefore);
}

/** A load balancer that asks the node hears within its patience that it had better send nobody there. */
async function saysSo(stage: Stage, silentMs: number): Promise<void> {
  const fromMs = performance.now();
  await wait(silentMs * 0.5);
  const askedMs = performance.now();
  const { status } = await stage.cluster.node("victim").call("GET", "/ready");
  const tookMs = performance.now() - askedMs;
  stage.expect(status === 503 && tookMs < 5_000, `while cut off, /ready said ${status} after ${Math.round(tookMs)} ms`);
  await wait(silentMs - (performance.now() - fromMs));
}

export const pause: Scenario = {
  name: "pause",
  says: "A worker is stopped with SIGSTOP past its leases, with mail under way, and wakes with SIGCONT: others have its work by then, and what it commits late is refused.",
  cluster: { nodes: { api: "api", victim: "worker", worker: "worker" } },
  callMsMax: 5_000,
  async run(stage) {
    // So that it has something in hand whose outcome it does not know yet.
    stage.cluster.mailHost.thinksMs = 150;
    await wait(BEFORE_MS);
    const refusedBefore = await stage.metric(REFUSED);
    await stage.trouble(async () => {
      stage.cluster.node("victim").signal("SIGSTOP");
      await wait(SILENT_MS[stage.pace]);
      stage.cluster.node("victim").signal("SIGCONT");
    });
    await tellsOfLateCommits(stage, refusedBefore);
  },
};

const REFUSED = "tidings_late_ends_total";

async function tellsOfLateCommits(stage: Stage, before: number): Promise<void> {
  await goesOn(stage, 6_000);
  const refused = (await stage.metric(REFUSED)) - before;
  stage.notes["late commits refused"] = refused;
}

/** Of the wrong clock, by which a node lives. */
const HOUR_MS = 3_600_000;
const PRELOAD = new URL("./wrong-clock.ts", import.meta.url).href;

export const wrongClocks: Scenario = {
  name: "wrong-clocks",
  says: "One node lives an hour ahead, another an hour behind, from the beginning; a third is right. Nothing comes before its time, and no lease ends early.",
  cluster: {
    nodes: { ahead: "all", behind: "all", right: "all" },
    env: { ahead: clockEnv(HOUR_MS), behind: clockEnv(-HOUR_MS) },
  },
  callMsMax: 5_000,
  async run(stage) {
    for (const [name, aheadMs] of [
      ["ahead", HOUR_MS],
      ["behind", -HOUR_MS],
    ] as const) {
      const [, says = ""] = /this machine's clock says (\S+)/.exec(stage.cluster.node(name).err) ?? [];
      const offMs = Math.abs(Date.parse(says) - aheadMs - Date.now());
      stage.expect(offMs < 60_000, `the clock of ${name} says ${says}`);
    }
    await stage.change(() => wait(SILENT_MS[stage.pace]));
    type Nodes = { readonly workers: number };
    const seen = await Promise.all(
      [...stage.cluster.all.values()].map(async (node) => (await node.get<Nodes>("/admin/nodes")).workers),
    );
    stage.expect(
      seen.every((workers) => workers === 3),
      `the nodes see ${seen.join(", ")} workers, not 3 each`,
    );
    const outcomes = await until("each of them sends", () => sentByEach(stage), 20_000);
    stage.notes["mails sent by each"] = outcomes.join(", ");
    await goesOn(stage);
  },
};

async function sentByEach({ cluster }: Stage): Promise<readonly number[] | null> {
  const sent = await Promise.all([...cluster.all.values()].map(sentBy));
  return sent.every((count) => count > 0) ? sent : null;
}

function clockEnv(aheadMs: number) {
  return { NODE_OPTIONS: `--import=${PRELOAD}`, TIDINGS_TEST_CLOCK_AHEAD_MS: String(aheadMs) };
}

import { setTimeout as wait } from "node:timers/promises";
import { goesOn } from "./database.ts";
import { nextVersions } from "./next-version.ts";
import { type Scenario, sentBy, type Stage } from "./stage.ts";

/** How long an old node works beside a new schema, and the two versions beside each other. */
const BESIDE_MS = { quick: 3_000, full: 20_000 };

export const rollingUpgrade: Scenario = {
  name: "rolling-upgrade",
  says:
    "Two nodes are stopped with SIGTERM one after the other and started as the next version, which adds to the schema; the old one works " +
    "beside it meanwhile. The upgrade is taken back on one of them. An old node refuses a schema that is two versions newer.",
  cluster: { nodes: { one: "all", two: "all" } },
  callMsMax: 5_000,
  async run(stage) {
    using versions = nextVersions();
    const besideMs = BESIDE_MS[stage.pace];
    await wait(besideMs);
    await replace(stage, "one", versions.main(1));
    await worksBeside(stage, besideMs);
    await replace(stage, "two", versions.main(1));
    // Not all went well with it, and the old one is put back.
    await replace(stage, "one");
    await worksBeside(stage, besideMs);
    await replace(stage, "one", versions.main(2));
    await worksBeside(stage, besideMs);
    const refusal = await stage.cluster.home.start({ TIDINGS_DATABASE_URL: stage.cluster.postgres.url }).then(
      () => "it started",
      (error: unknown) => String(error),
    );
    stage.expect(/was made by a newer Tidings/.test(refusal), `two versions newer, and the old one says: ${refusal}`);
  },
};

/** Stops it as a supervisor does, and starts it again, perhaps as another version; the other node takes the calls. */
async function replace(stage: Stage, name: string, main?: string): Promise<void> {
  await stage.change(async () => {
    const { code } = await stage.cluster.stop(name);
    stage.expect(code === 0, `${name} ended with ${code} when it was told to stop`);
    await stage.cluster.start(name, main);
  });
}

/** Both accept and both send, whatever their version. */
async function worksBeside(stage: Stage, forMs: number): Promise<void> {
  const before = await Promise.all(stage.cluster.doors.map(sentBy));
  await goesOn(stage, forMs);
  const after = await Promise.all(stage.cluster.doors.map(sentBy));
  stage.expect(
    after.every((sent, at) => sent > (before[at] ?? 0)),
    `beside each other they sent ${after.map((sent, at) => sent - (before[at] ?? 0)).join(" and ")}`,
  );
}

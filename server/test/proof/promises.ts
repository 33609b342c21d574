/** The commands whose results the page is made of. */
export type Command = "kill9" | "simulate" | "simulateEvents" | "simulateFunctions" | "fuzz" | "soak";

/** What shows a promise. Files that are not there yet are named on the page as missing. */
export type Promised = {
  readonly promise: string;
  readonly means: string;
  readonly shown: readonly Shown[];
  /** What is not built yet, or not shown. */
  readonly missing?: string;
};
export type Shown =
  | { readonly by: Command; readonly what: string }
  | { readonly by: "tests"; readonly what: string; readonly files: readonly string[] };

/** Design, section 6, in its order. */
export const PROMISES: readonly Promised[] = [
  {
    promise: "accepted is kept",
    means: "after 202, kill -9, power loss (fsync), full disk or restart lose nothing",
    shown: [
      { by: "kill9", what: "the real program, killed under load" },
      tests("power cuts, also after a failed sync", "server/test/crash/power-cut.test.ts"),
      tests("a disk that is full, fails or is locked, under the whole program", "server/test/crash/disk.test.ts"),
      tests("a slow disk: no 202 before its sync", "server/test/crash/slow-disk.test.ts"),
      tests(
        "kills and stops of the program and of the store alone",
        "server/test/crash/kill.test.ts",
        "server/test/crash/delayed.test.ts",
        "server/test/crash/stop.test.ts",
        "server/test/crash/store.test.ts",
      ),
      tests(
        "kills while rules match, and of users' functions",
        "server/test/crash/rules.test.ts",
        "server/test/e2e/functions-kill.test.ts",
      ),
      { by: "simulate", what: "simulated deaths between any two awaits: messages to people" },
      { by: "simulateEvents", what: "the same for events, rules, queues and webhooks" },
      { by: "simulateFunctions", what: "the same for users' functions" },
    ],
  },
  {
    promise: "one outcome each",
    means: "every recipient of every request ends in exactly one terminal state with a reason; totals balance",
    shown: [
      { by: "simulate", what: "every message of every seed, audited" },
      tests("the process ends at every commit and call", "server/test/simulation/crash-points.test.ts"),
      { by: "kill9", what: "the state of every message after the kills" },
      tests("the stages", "server/src/pipeline/pipeline.test.ts"),
    ],
  },
  {
    promise: "at least once, nearly once",
    means: "a crash can repeat at most what was in a provider call at that moment; the window is bounded and measured",
    shown: [
      { by: "kill9", what: "repeats whose outcome was not in the file at the kill; no others" },
      tests("the audit finds what is planted", "server/test/crash/audit.test.ts"),
      tests("repeats counted at every place of death", "server/test/simulation/crash-points.test.ts"),
      { by: "simulate", what: "every repeat has a reason" },
      { by: "simulateFunctions", what: "what a handler emits is there once, and nothing of a call that failed" },
      tests("functions on three nodes, of which one is killed", "server/test/e2e/nodes-functions.test.ts"),
      tests("idempotency keys", "server/src/doors/http/idempotency.test.ts", "server/src/pipeline/idempotency.test.ts"),
    ],
  },
  {
    promise: "order where it matters",
    means: "FIFO groups, one subject's events, one run's steps are in order",
    shown: [
      { by: "simulate", what: "each message's history in order, with one end" },
      tests(
        "the journal and its consumers",
        "server/src/engine/consumer.test.ts",
        "server/src/drivers/sqlite/store.test.ts",
      ),
      { by: "simulateEvents", what: "groups of FIFO queues, from producer to receiver" },
      { by: "simulateFunctions", what: "groups of FIFO queues and subjects of the journal, to and from handlers" },
      tests("FIFO queues", "server/src/queues/fifo.test.ts"),
    ],
    missing: "runs come with automations.",
  },
  {
    promise: "nothing after no",
    means: "nothing is sent after an unsubscribe, opt-out or cancellation was committed",
    shown: [
      { by: "simulate", what: "asked at every provider call" },
      { by: "kill9", what: "cancellations that were answered" },
      tests("properties of the gate", "server/src/pipeline/nothing-after-no.test.ts"),
      tests("cancelled and unsubscribed, at every place of death", "server/test/simulation/crash-points.test.ts"),
    ],
  },
  {
    promise: "late is a decision",
    means:
      "every send may have a deadline; past it: drop, send or collapse, as asked; a restored backup re-sends nothing by itself",
    shown: [
      tests("deadlines", "server/src/pipeline/deadline.test.ts"),
      tests(
        "backup and restore",
        "server/test/e2e/backup.test.ts",
        "server/test/crash/backup.test.ts",
        "server/src/pipeline/held-desk.test.ts",
      ),
    ],
  },
  {
    promise: "failures stay local",
    means: "a provider, a webhook, a function or a tenant that fails or stalls delays no other",
    shown: [
      { by: "simulate", what: "providers that fail, stall, lie or keep silent" },
      tests("lanes, shares and gates", "server/src/engine/engine.test.ts", "server/src/pipeline/pipeline.test.ts"),
      tests(
        "mail servers and webhooks in trouble",
        "server/test/e2e/mail-trouble.test.ts",
        "server/test/e2e/webhook.test.ts",
        "server/src/webhooks/trouble.test.ts",
      ),
      tests(
        "functions that loop, leak, crash or exit, and whose fault it was",
        "server/src/drivers/threads/host.test.ts",
        "server/src/functions/feeders/blame.test.ts",
      ),
    ],
  },
  {
    promise: "bounded",
    means: "queues, memory, retries, payloads, log retention all have limits that are stated, configurable and tested",
    shown: [
      { by: "soak", what: "memory, disk and lag over time" },
      { by: "fuzz", what: "memory under hostile requests" },
      { by: "simulate", what: "nothing left in hand or in line at rest" },
      tests(
        "retention, backlog, bodies",
        "server/src/engine/upkeep.test.ts",
        "server/src/engine/store-trouble.test.ts",
        "server/src/doors/http/door.test.ts",
      ),
    ],
  },
  {
    promise: "explained",
    means:
      "every refusal is a clear error in the door's own format; every non-send has a reason; every dead letter can be read, fixed and re-driven",
    shown: [
      tests(
        "hostile requests with their exact answers",
        "server/src/doors/http/hostile.test.ts",
        "server/src/doors/http/hostile-send.test.ts",
        "server/src/doors/http/wire.test.ts",
      ),
      { by: "fuzz", what: "every answer as documented, never a 5xx" },
      tests("the catalogue of faults", "server/src/domain/faults.test.ts"),
      tests("why, dead letters", "server/src/doors/http/routes/admin.test.ts"),
    ],
  },
];

/** Shown beside the promises: that the simulation finds bugs. */
export const PLANTED_FILES: readonly string[] = [
  "server/test/simulation/planted.test.ts",
  "server/test/simulation/events/planted.test.ts",
  "server/test/simulation/functions/planted.test.ts",
];

function tests(what: string, ...files: readonly string[]): Shown {
  return { by: "tests", what, files };
}

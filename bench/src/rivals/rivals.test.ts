import assert from "node:assert/strict";
import { test } from "node:test";
import { findPostgres } from "../../../server/test/support/postgres-server.ts";
import { redisAtHand } from "./redis.ts";
import { acceptsOfRival, burstOfRival, type RivalOptions } from "./rival.ts";

const WARM_UP_SENDS = 5;
const SENDS = 40;
const LONES = 5;

const RIVALS: readonly RivalOptions[] = [
  { queue: "bullmq", sync: "always", concurrency: 10, mailConnections: 2 },
  { queue: "pg-boss", concurrency: 10, mailConnections: 2 },
  { queue: "graphile-worker", concurrency: 10, mailConnections: 2 },
];

for (const options of RIVALS) {
  const isThere = options.queue === "bullmq" ? redisAtHand() !== null : findPostgres() !== null;
  const skip = isThere ? false : "its database is not on this machine; the benchmark itself looks further";

  test(`${options.queue} mails each send once, and logs it with three rows of history`, { skip }, async () => {
    const { burst, lone } = await burstOfRival(options, WARM_UP_SENDS, SENDS, LONES); // throws when a row is missing
    assert.deepEqual([burst.lost, burst.duplicates, burst.accepts?.putOff], [0, 0, 0]);
    assert.ok(Number.isFinite(lone.acceptToArriveMs.max), "each lone send arrived");
  });

  test(`${options.queue} accepts while nobody works`, { skip }, async () => {
    assert.ok((await acceptsOfRival(options, WARM_UP_SENDS, SENDS)).perSecond > 0);
  });
}

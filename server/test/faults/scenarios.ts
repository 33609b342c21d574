import { databaseAway, killDatabase, noConnections } from "./database.ts";
import { killApi, killWorker } from "./kills.ts";
import { killMatcher } from "./matched.ts";
import { cutOff, pause, unplugged, wrongClocks } from "./silence.ts";
import type { Scenario } from "./stage.ts";
import { rollingUpgrade } from "./upgrade.ts";

/** In the order in which they are played. */
export const SCENARIOS: readonly Scenario[] = [
  killWorker,
  killApi,
  killMatcher,
  killDatabase,
  databaseAway,
  cutOff,
  unplugged,
  pause,
  wrongClocks,
  noConnections,
  rollingUpgrade,
];

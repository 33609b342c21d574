import { readdirSync } from "node:fs";
import { join } from "node:path";
import { workFolder } from "../children.ts";
import { profileRows } from "../profile.ts";
import type { Contestant } from "./contestants.ts";
import { Server } from "./server.ts";
import { statementsOf } from "./turn.ts";

/** Rows of a table. */
const STATEMENTS = 20;
const TEXT_CHARS_MAX = 150;
/** Below, the samples' own cost bends what they show. */
const INTERVAL_US = 200;

/** Where the time of one burst goes: on the server by statement, in each node by thread and function. */
export async function profile(
  contestants: readonly Contestant[],
  options: { readonly sends: number; readonly warmUp: number; readonly folder: string | undefined },
  say: (line: string) => void,
): Promise<void> {
  const { sends, warmUp } = options;
  await using server = await Server.start(options.folder);
  for (const contestant of contestants) {
    const folder = workFolder();
    const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_US}`];
    const { perMessage, costs, burst } = await statementsOf(contestant, server, warmUp, sends, nodeArgs);
    say(`\n## ${contestant.name}: ${Math.round(burst.perSecond)}/s, ${perMessage.toFixed(2)} statements a message\n`);
    say("   calls        µs   WAL B  of the statement, each per message");
    for (const { text, calls, us, walBytes } of costs.slice(0, STATEMENTS)) {
      const numbers = [calls.toFixed(3).padStart(8), us.toFixed(2).padStart(9), walBytes.toFixed(0).padStart(7)];
      say(`${numbers.join(" ")}  ${text.slice(0, TEXT_CHARS_MAX)}`);
    }
    for (const file of readdirSync(folder).toSorted()) {
      say(`\n### ${file}\n`);
      for (const line of profileRows(join(folder, file), burst, sends)) say(line);
    }
  }
}

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, workFolder } from "./children.ts";
import { burstOfTidings } from "./tidings.ts";

/** Rows of a thread's table. */
const ROWS = 45;
/** Below, the samples' own cost bends what they show. */
const INTERVAL_US = 200;

type CallFrame = { functionName: string; url: string; lineNumber: number };
type Profile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
};

/** Where the time of each thread goes during a burst: self time by function, in µs per message. */
export async function profileTidings(sends: number, warmUp: number, say: (line: string) => void): Promise<void> {
  const folder = workFolder();
  const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_US}`];
  const { burst } = await burstOfTidings({ client: "own", offer: "usual", lone: false, nodeArgs }, warmUp, sends);
  say(
    `profiled: ${Math.round(burst.perSecond)}/s, ${burst.cpuUs?.toFixed(0)} µs CPU per message ${JSON.stringify(burst.threadsUs)}`,
  );
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .toSorted()) {
    say(`\n### ${file}\n`);
    for (const line of profileRows(join(folder, file), burst, sends)) say(line);
  }
}

/** A table of one thread's time within a burst. */
export function profileRows(
  file: string,
  { startMs, tookMs }: { readonly startMs: number; readonly tookMs: number },
  sends: number,
): readonly string[] {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;
  return rowsOf(profile, startMs * 1000, (startMs + tookMs) * 1000, sends);
}

/** A profile's clock is the machine's steady one, in µs, so the burst can be cut out of it. */
function rowsOf(profile: Profile, fromUs: number, untilUs: number, sends: number): readonly string[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id] as const)),
  );
  const self = new Map<string, number>();
  const whole = new Map<string, number>();
  let atUs = profile.startTime;
  profile.samples.forEach((id, i) => {
    const us = profile.timeDeltas[i] ?? 0;
    atUs += us;
    if (atUs < fromUs || atUs > untilUs) return;
    const name = names.get(id) ?? "?";
    self.set(name, (self.get(name) ?? 0) + us);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) seen.add(names.get(at) ?? "?");
    for (const one of seen) whole.set(one, (whole.get(one) ?? 0) + us);
  });
  const top = (times: Map<string, number>): string[] =>
    [...times]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, ROWS)
      .map(([name, us]) => `${(us / sends).toFixed(2).padStart(8)}  ${name}`);
  return ["self µs/message", ...top(self), "", "with what it calls, µs/message", ...top(whole)];
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const file = url.startsWith("file:") ? relative(ROOT, fileURLToPath(url)) : url;
  return `${functionName === "" ? "(anonymous)" : functionName} ${file === "" ? "" : `${file}:${lineNumber + 1}`}`;
}

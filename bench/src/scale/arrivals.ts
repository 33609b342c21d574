import { sleep } from "../children.ts";
import { steadyMs } from "../measure.ts";

const LOOK_MS = 25;
/** Nothing more for this long: it is over. */
const STALLED_MS = 30_000;

/** Until `count` says `wanted`, or nothing more comes. @returns when that was, within `LOOK_MS`. */
export async function arrived(count: () => Promise<number>, wanted: number): Promise<number> {
  let last = { count: -1, atMs: steadyMs() };
  for (;;) {
    const now = { count: await count(), atMs: steadyMs() };
    if (now.count >= wanted) return now.atMs;
    if (now.count > last.count) last = now;
    if (now.atMs - last.atMs > STALLED_MS) return now.atMs;
    await sleep(LOOK_MS);
  }
}

import { count, paint } from "#cli/output.ts";
import { say, type World } from "#cli/world.ts";
import type { BookNews } from "#functions/book.ts";

/** Tells after each load of the functions which run, and which cannot, with file and line. */
export function functionsTeller(world: World, json: boolean): (news: BookNews) => void {
  return ({ running, faults }) => {
    if (json) return;
    const kinds = Map.groupBy(running, ({ on }) => on.kind);
    const kindsText = [...kinds].map(([kind, { length }]) => `${length} ${kind}`).join(", ");
    const what = running.length === 0 ? "no function runs" : `${count(running.length, "function")}: ${kindsText}`;
    say(world.err, paint(world.err, faults.length === 0 ? "green" : "yellow", `functions  ${what}`));
    for (const { file, line, says } of faults) {
      say(world.err, paint(world.err, "red", `  ${file}${line === null ? "" : `:${line}`}  ${says}`));
    }
  };
}

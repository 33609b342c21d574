import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageFault } from "#cli/exit.ts";

/** @throws {UsageFault} when there is something in the folder already. */
export function requireEmpty(folder: string, instead: string): void {
  const there = existsSync(folder) ? readdirSync(folder).filter((name) => name !== ".git") : [];
  if (there.length > 0) throw new UsageFault(`${folder} is not empty (${there.slice(0, 3).join(", ")}); ${instead}`);
}

/** Writes a new file with its folders. Somebody may have been faster: nothing of his is lost. */
export function writeNew(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text, { flag: "wx" });
}

/** A package's name made of the folder's. */
export function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-_.]+/g, "-")
    .replace(/^[-_.]+/, "");
  return name === "" ? "my-notifications" : name;
}

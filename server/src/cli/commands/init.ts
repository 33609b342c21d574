import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { projectFiles } from "#cli/init/project-files.ts";
import { tidingsDependency } from "#cli/init/dependency.ts";
import { acting, command, examples, type Options } from "#cli/options.ts";
import { paint } from "#cli/output.ts";
import { say, type World } from "#cli/world.ts";

export function initCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings init",
    "Make a project: one function that says hello by mail, its test, and a README. Nothing that exists is overwritten.",
  )
    .argument("[folder]", "where; a new or an empty folder (default: this one)")
    .addHelpText("after", examples(["tidings init shop", "a project in ./shop"]));
  return acting(built, world, answer, init);
}

function init(world: World, [given]: readonly string[], _options: Options): Promise<Exit> {
  const folder = resolve(world.cwd, given ?? ".");
  const there = existsSync(folder) ? readdirSync(folder).filter((name) => name !== ".git") : [];
  if (there.length > 0)
    throw new UsageFault(
      `${folder} is not empty (${there.slice(0, 3).join(", ")}); name a new folder: tidings init my-project`,
    );
  const files = projectFiles({ name: nameOf(folder), dependency: tidingsDependency(folder) });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    // Somebody may have been faster: nothing of his is lost.
    writeFileSync(join(folder, path), text, { flag: "wx" });
    say(world.out, `  ${paint(world.out, "green", "+")} ${path}`);
  }
  say(world.out);
  say(world.out, "Next:");
  say(world.out);
  if (folder !== resolve(world.cwd)) say(world.out, `  cd ${given}`);
  for (const line of ["npm install", "npm test", "npm run dev"]) say(world.out, `  ${line}`);
  say(world.out);
  say(world.out, `${paint(world.out, "bold", "README.md")} goes on from there.`);
  return Promise.resolve(EXIT.ok);
}

/** A package's name made of the folder's. */
function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-_.]+/g, "-")
    .replace(/^[-_.]+/, "");
  return name === "" ? "my-notifications" : name;
}

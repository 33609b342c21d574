import { resolve } from "node:path";
import type { Command } from "commander";
import { EXIT, type Exit } from "#cli/exit.ts";
import { packageName, requireEmpty, writeNew } from "#cli/init/folder.ts";
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
  requireEmpty(folder, "name a new folder: tidings init my-project");
  const files = projectFiles({ name: packageName(folder), dependency: tidingsDependency(folder) });
  for (const [path, text] of files) {
    writeNew(folder, path, text);
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

import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { tidingsDependency } from "#cli/init/dependency.ts";
import { packageName, requireEmpty, writeNew } from "#cli/init/folder.ts";
import { acting, command, examples, type Options, withJson } from "#cli/options.ts";
import { count, paint } from "#cli/output.ts";
import { readText } from "#cli/read-text.ts";
import type { Plan } from "#cli/serverless/plan.ts";
import { importedFiles } from "#cli/serverless/project.ts";
import { readPlan } from "#cli/serverless/read-plan.ts";
import { YAML_BYTES_MAX } from "#cli/serverless/yaml-tree.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";

export function importCommand(world: World, answer: (exit: Exit) => void): Command {
  const built = command(
    world,
    "tidings import",
    "Make a project of a serverless.yml: its functions with the same triggers, its queues, rules and tables. What it does not take over is listed with file and line. Nothing that exists is overwritten.",
  )
    .argument("<serverless.yml>", "the file; - reads standard input")
    .option("--out <folder>", "where; a new or an empty folder (default: the service's name)")
    .addHelpText(
      "after",
      examples(["tidings import serverless.yml --out shop", "a project in ./shop, its handlers to be written"]),
    );
  return acting(withJson(built), world, answer, runImport);
}

async function runImport(world: World, [file = ""]: readonly string[], options: Options): Promise<Exit> {
  const source = file === "-" ? "serverless.yml" : basename(file);
  const text = await readBounded(world, file);
  const read = readPlan(text, world.clock.nowMs());
  if (read.kind === "fault") throw new UsageFault(`${clean(source)}:${read.line}  ${clean(read.says)}`);
  const { plan } = read;
  const out = options.text("out") ?? plan.service;
  const folder = resolve(world.cwd, out);
  requireEmpty(folder, "name a new folder: --out my-project");
  const wishes = { name: packageName(folder), dependency: tidingsDependency(folder), source };
  const files = importedFiles(plan, wishes);
  for (const [path, written] of files) writeNew(folder, path, written);
  const paths = files.map(([path]) => path);
  if (options.flag("json")) sayJson(world, { folder, files: paths, gaps: plan.gaps });
  else tell(world, { plan, paths, out, source });
  return EXIT.ok;
}

/** A file that is not what it seems must not fill the memory. */
async function readBounded(world: World, file: string): Promise<string> {
  const bytes = file === "-" ? 0 : (statSync(resolve(world.cwd, file), { throwIfNoEntry: false })?.size ?? 0);
  if (bytes > YAML_BYTES_MAX) throw new UsageFault(`${file} is larger than ${YAML_BYTES_MAX / 1_048_576} MiB`);
  return await readText(world, file, "the file");
}

type Made = {
  readonly plan: Plan;
  readonly paths: readonly string[];
  readonly out: string;
  readonly source: string;
};

function tell({ out: screen }: World, { plan, paths, out, source }: Made): void {
  const line = (text = ""): void => say(screen, text);
  for (const path of paths) line(`  ${paint(screen, "green", "+")} ${path}`);
  line();
  const { functions, queues, collections, rules, gaps } = plan;
  const made = [
    count(functions.length, "function"),
    count(queues.length, "queue"),
    count(rules.length, "rule"),
    count(collections.length, "collection"),
  ];
  line(`${made.join(", ")}. The handlers are to be written.`);
  if (gaps.length > 0) {
    line();
    line(`${paint(screen, "yellow", "Not taken over")}, or otherwise (README.md has this list):`);
    for (const gap of gaps) line(`  ${clean(source)}:${gap.line}  ${clean(gap.says)}`);
  }
  line();
  line("Next:");
  line();
  for (const step of [`cd ${clean(out)}`, "npm install", "npm test", "npm run dev"]) line(`  ${step}`);
}

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, Option } from "commander";
import { UsageFault } from "#cli/exit.ts";
import type { Options } from "#cli/options.ts";
import type { World } from "#cli/world.ts";
import { type ReadSettings, readSettings, settingNames } from "#config/settings.ts";
import { SETTINGS, type SettingName } from "#config/table.ts";
import { functionsPlace } from "#cli/functions-place.ts";
import { OperatorFault } from "#domain/faults.ts";
import { isJsonObject } from "#domain/json.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";
import { resolveTidings } from "#drivers/threads/resolve.ts";

/** Looked for in the folder where the program is started; the first that is there. */
export const CONFIG_FILES = ["tidings.config.ts", "tidings.config.mts", "tidings.config.js", "tidings.config.mjs"];

/** The settings that have a flag on commands that serve. */
const FLAGGED = settingNames().filter((name) => !SETTINGS[name].secret && SETTINGS[name].group !== "Client");

/** Those that help shows where the others would only be in the way. */
const USUAL: readonly SettingName[] = ["port", "host", "dataDir"];

/** Adds a flag for every setting that may have one; `shown` says how many of them stand in the help. */
export function withSettings(built: Command, shown: "all" | "usual"): Command {
  for (const name of FLAGGED) {
    const { flag, summary, default: usual } = SETTINGS[name];
    const option = new Option(`--${flag} <value>`, usual === null ? summary : `${summary} (default: ${usual})`);
    built.addOption(option.hideHelp(shown === "usual" && !USUAL.includes(name)));
  }
  if (shown === "usual")
    built.description(`${built.description()}\n\nEvery option of \`tidings start\` is one here too.`);
  return built;
}

export type LoadedSettings = ReadSettings & {
  /** Where users' functions are; null when there is no folder of them. */
  readonly functions: FunctionsPlace | null;
  readonly file: Readonly<Record<string, unknown>>;
  readonly flags: Readonly<Partial<Record<SettingName, string>>>;
};

/**
 * Reads the settings of this folder, command line and environment. The data folder is absolute in what is returned.
 *
 * @throws {OperatorFault} "config.invalid", naming every mistake.
 */
export async function loadSettings(
  world: World,
  options: Options,
  presets: Readonly<Partial<Record<SettingName, string>>> = {},
): Promise<LoadedSettings> {
  const { functions, ...file } = await readConfigFile(world.cwd);
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of FLAGGED) {
    const value = options.text(camel(SETTINGS[name].flag));
    if (value === "") throw new UsageFault(`--${SETTINGS[name].flag} is empty`);
    if (value !== null) flags[name] = value;
  }
  const readFile = (path: string): string => readFileSync(resolve(world.cwd, path), "utf8");
  const { settings, notes } = readSettings({ file, flags, env: world.env, presets, readFile });
  return {
    settings: { ...settings, dataDir: resolve(world.cwd, settings.dataDir) },
    ...{ notes, file, flags },
    functions: functionsPlace(world.cwd, functions, settings.functionsDir),
  };
}

/**
 * The data folder of a command that works on it directly. Other than for `start`, `--data-dir` overrules the environment:
 * who names a folder to restore into means that one.
 */
export async function dataFolder(world: World, options: Options): Promise<string> {
  const given = options.text("dataDir");
  return given === null ? (await loadSettings(world, options)).settings.dataDir : resolve(world.cwd, given);
}

/**
 * The same for commands that know folders only.
 * @throws {OperatorFault} "config.invalid" when the store is Postgres, whose own tools do it.
 */
export async function sqliteFolder(world: World, options: Options): Promise<string> {
  if (options.text("dataDir") !== null) return await dataFolder(world, options);
  const { settings } = await loadSettings(world, options);
  if (settings.databaseUrl === null) return settings.dataDir;
  throw new OperatorFault(
    "config.invalid",
    `${SETTINGS.databaseUrl.env} is set: everything lies in Postgres, which is backed up with its own tools.\n` +
      `  pg_dump --format=custom --schema=${settings.databaseSchema} --file=tidings.dump "$${SETTINGS.databaseUrl.env}"\n` +
      `  pg_restore --dbname=URL tidings.dump, into an empty database, while no node runs\n` +
      "To work on a data folder of SQLite all the same, name it: --data-dir FOLDER\n",
  );
}

/** What `tidings.config.ts` exports, as `config` or as default; nothing when there is no such file. */
async function readConfigFile(cwd: string): Promise<Readonly<Record<string, unknown>>> {
  const path = CONFIG_FILES.map((name) => join(cwd, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) return {};
  resolveTidings();
  let module: { readonly config?: unknown; readonly default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OperatorFault("config.invalid", `${path} cannot be loaded:\n  ${why}\n`, { cause: error });
  }
  const config = module.config ?? module.default;
  if (isJsonObject(config)) return config;
  throw new OperatorFault("config.invalid", `${path} must export an object: export const config = { port: 3300 }\n`);
}

function camel(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

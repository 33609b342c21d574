import { closest } from "#config/closest.ts";
import { SETTINGS, type SettingName, type Settings } from "#config/table.ts";
import { OperatorFault } from "#domain/faults.ts";

export type { Settings } from "#config/table.ts";

/** Where settings come from, each overruling the one before: file, flags, environment. */
export type SettingSources = {
  /** The object that `tidings.config.ts` exports; keys are the camel-case names. */
  readonly file?: Readonly<Record<string, unknown>>;
  /** By camel-case name, as commander gives them. */
  readonly flags?: Readonly<Partial<Record<SettingName, string>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stands in for the table's defaults: what `tidings dev` does differently. */
  readonly presets?: Readonly<Partial<Record<SettingName, string>>>;
  /** Reads `file:…` values of secrets. Without it such a value is a mistake. */
  readonly readFile?: (path: string) => string;
};

export type ReadSettings = {
  readonly settings: Settings;
  /** Sentences for the operator: what was overruled or is spelled like a setting without being one. */
  readonly notes: readonly string[];
};

/**
 * Reads every setting, once.
 *
 * @throws {OperatorFault} "config.invalid", naming every mistake, one per line. Values of secrets are not repeated.
 */
export function readSettings(sources: SettingSources): ReadSettings {
  const mistakes: string[] = [];
  const read: Record<string, unknown> = {};
  for (const name of settingNames()) {
    const found = find(name, sources);
    if ("problem" in found) mistakes.push(found.problem);
    else read[name] = found.value;
  }
  mistakes.push(...unknownFileKeys(sources.file ?? {}), ...together(read));
  if (mistakes.length > 0) {
    const count = mistakes.length === 1 ? "One setting is wrong" : `${mistakes.length} settings are wrong`;
    throw new OperatorFault("config.invalid", `${count}:\n${mistakes.map((line) => `  ${line}`).join("\n")}\n`);
  }
  // Every name of the table was parsed by its own kind, and there were no mistakes.
  return { settings: read as Settings, notes: [...overruled(sources), ...unknownVariables(sources.env)] };
}

export function settingNames(): readonly SettingName[] {
  // The keys of a literal are its names.
  return Object.keys(SETTINGS) as SettingName[];
}

type Found = { readonly value: unknown } | { readonly problem: string };

function find(name: SettingName, sources: SettingSources): Found {
  const row = SETTINGS[name];
  const inFile = sources.file?.[name];
  const given = [
    { text: present(sources.env[row.env]), from: row.env },
    { text: present(sources.flags?.[name]), from: `--${row.flag}` },
    { text: scalar(inFile), from: `${name} in tidings.config.ts` },
  ].find(({ text }) => text !== null);
  if (given === undefined && inFile !== undefined && inFile !== null) {
    return { problem: `${name} in tidings.config.ts must be a text, a number, true or false` };
  }
  const text = given?.text ?? sources.presets?.[name] ?? row.default;
  if (text === null) return { value: null };
  const from = given?.from ?? row.env;
  const opened = row.secret ? openSecret(text, sources.readFile) : { value: text };
  if ("problem" in opened) return { problem: `${from} ${opened.problem}` };
  const parsed = row.kind.parse(opened.value);
  if ("value" in parsed) return parsed;
  const quoted = row.secret ? "" : `, not ${JSON.stringify(text)}`;
  return { problem: `${from} ${parsed.problem}${quoted}` };
}

/** An empty variable counts as absent: that is how compose files and CI systems write "not set". */
function present(text: string | undefined): string | null {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? null : trimmed;
}

function scalar(value: unknown): string | null {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" || typeof value === "number" ? present(String(value)) : null;
}

/** A secret may lie in a file, as Docker and Kubernetes hand them out: `file:/run/secrets/tidings_key`. */
function openSecret(text: string, readFile: SettingSources["readFile"]): { value: string } | { problem: string } {
  if (!text.startsWith("file:")) return { value: text };
  const path = text.slice("file:".length);
  try {
    if (readFile !== undefined) return { value: readFile(path).trim() };
  } catch (error) {
    return {
      problem: `names the file ${path}, which cannot be read (${error instanceof Error ? error.message : "?"})`,
    };
  }
  return { problem: "cannot name a file here" };
}

/** Settings that make sense only with one another. */
function together(read: Readonly<Record<string, unknown>>): readonly string[] {
  return [...dkimMistakes(read), ...roleMistakes(read)];
}

function dkimMistakes(read: Readonly<Record<string, unknown>>): readonly string[] {
  const dkim = ["dkimDomain", "dkimSelector", "dkimPrivateKey"] as const;
  const absent = dkim.filter((name) => read[name] === null);
  if (absent.length === 0 || absent.length === dkim.length) return [];
  return [`DKIM needs all three: ${absent.map((name) => SETTINGS[name].env).join(" and ")} missing`];
}

function roleMistakes({ role, databaseUrl }: Readonly<Record<string, unknown>>): readonly string[] {
  if (databaseUrl !== null || (role !== "api" && role !== "worker")) return [];
  const { role: row, databaseUrl: database } = SETTINGS;
  return [
    `${row.env} is ${role}, but SQLite belongs to one process, which must do everything: set ${database.env}, or leave the role out`,
  ];
}

function unknownFileKeys(file: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(file)
    .filter((key) => !Object.hasOwn(SETTINGS, key))
    .map((key) => `${key} in tidings.config.ts is not a setting${suggestion(key, settingNames())}`);
}

/** Environments are shared, so a stranger in ours is told of but stops nothing. */
function unknownVariables(env: SettingSources["env"]): readonly string[] {
  const known = settingNames().map((name) => SETTINGS[name].env);
  return Object.keys(env)
    .filter((key) => key.startsWith("TIDINGS_") && !(known as readonly string[]).includes(key))
    .map((key) => `${key} is not a setting of this version${suggestion(key, known)}`);
}

function suggestion(word: string, known: readonly string[]): string {
  const near = closest(word, known);
  return near === null ? "" : `; did you mean ${near}?`;
}

function overruled({ flags, env }: SettingSources): readonly string[] {
  return settingNames().flatMap((name) => {
    const [flag, variable] = [present(flags?.[name]), present(env[SETTINGS[name].env])];
    if (flag === null || variable === null || flag === variable) return [];
    return [`--${SETTINGS[name].flag} is overruled by ${SETTINGS[name].env} in the environment`];
  });
}

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { type FunctionFile, functionFiles } from "#drivers/threads/files.ts";
import type { FromLoader, LoadData, ReadFile } from "#drivers/threads/protocol.ts";
import { threadEnv } from "#drivers/threads/thread-env.ts";
import type { DeclaredCollection, DeclaredFunction, LoadFault } from "#ports/function-host.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";

/** A file that has not been read after so long hangs or loops. */
const READ_MS_MAX = 10_000;
const CHECK_MS_MAX = 5_000;

export type Loaded = {
  readonly functions: readonly DeclaredFunction[];
  readonly collections: readonly DeclaredCollection[];
  readonly faults: readonly LoadFault[];
  /** URLs by name. */
  readonly urls: ReadonlyMap<string, string>;
  /** Folders of the files that were read, also those outside of the functions' own. */
  readonly folders: ReadonlySet<string>;
};

/** Reads every file of the folder in a thread of its own; one that hangs is left out, and the others are read. */
export async function loadFunctions({ folder, root }: FunctionsPlace): Promise<Loaded> {
  const { files, faults: misnamed } = functionFiles(folder, root);
  const read = new Map<string, ReadFile>();
  const collections: DeclaredCollection[] = [];
  const folders = new Set<string>();
  for (let left = files; left.length > 0; left = files.filter(({ name }) => !read.has(name))) {
    const stuck = await readAll(left, { read, collections, folders });
    if (stuck !== null) read.set(stuck.name, { kind: "fault", says: stuck.says, line: null });
  }
  const functions: DeclaredFunction[] = [];
  const faults = [...misnamed];
  for (const file of files) {
    const one = read.get(file.name);
    if (one?.kind === "function") functions.push({ name: file.name, file: file.shown, ...one.declaration });
    if (one?.kind === "fault") faults.push(faultOf(file, one));
  }
  return { functions, collections, faults, folders, urls: new Map(files.map(({ name, path }) => [name, urlOf(path)])) };
}

type Reading = {
  readonly read: Map<string, ReadFile>;
  readonly collections: DeclaredCollection[];
  readonly folders: Set<string>;
};

/** @returns the file at which the thread did not go on, if there is one. */
function readAll(
  files: readonly FunctionFile[],
  { read, collections, folders }: Reading,
): Promise<{ readonly name: string; readonly says: string } | null> {
  const data: LoadData = { kind: "load", files: files.map(({ name, path }) => ({ name, url: urlOf(path) })) };
  const worker = new Worker(new URL("./loader.ts", import.meta.url), {
    workerData: data,
    env: threadEnv(process.env),
    stdout: true,
    stderr: true,
  });
  worker.stdout.resume();
  worker.stderr.resume();
  return new Promise((resolve) => {
    let reading: string = files[0]?.name ?? "";
    let timer: NodeJS.Timeout;
    const end = (stuck: { readonly name: string; readonly says: string } | null): void => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(stuck);
    };
    const wind = (): void => {
      clearTimeout(timer);
      timer = setTimeout(
        () =>
          end({
            name: reading,
            says: `it was not read within ${READ_MS_MAX / 1_000} s: does it wait, or loop, while it is imported?`,
          }),
        READ_MS_MAX,
      );
    };
    wind();
    worker.on("message", (message: FromLoader) => {
      wind();
      if (message.kind === "reading") reading = message.name;
      else if (message.kind === "read") read.set(message.name, message.read);
      else {
        collections.push(...message.collections);
        for (const url of message.sources) folders.add(dirname(fileURLToPath(url)));
        end(null);
      }
    });
    worker.on("error", (error) =>
      end({
        name: reading,
        says: `it ended the thread that read it: ${error instanceof Error ? error.message : String(error)}`,
      }),
    );
    worker.on("exit", () =>
      end({ name: reading, says: "it ended the thread that read it: does it call process.exit?" }),
    );
  });
}

function urlOf(path: string): string {
  return pathToFileURL(path).href;
}

function faultOf({ name, path, shown }: FunctionFile, { says, line }: ReadFile & { kind: "fault" }): LoadFault {
  const plain =
    says.replaceAll(`'${path}'`, shown).replaceAll(path, shown).replaceAll(urlOf(path), shown).split("\n")[0] ?? says;
  return { name, file: shown, line: line ?? lineOf(path, says), says: plain };
}

/** Node tells the line of a syntax error only when it prints it; a missing import is looked for in the text. */
function lineOf(path: string, says: string): number | null {
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(says)?.[1];
  if (missing !== undefined) {
    const base = missing.split(/[/\\]/).at(-1) ?? missing;
    const lines = readFileSync(path, "utf8").split("\n");
    const at = lines.findIndex((line) => /\bimport\b|\bfrom\b|\brequire\b/.test(line) && line.includes(base));
    return at === -1 ? null : at + 1;
  }
  const checked = spawnSync(process.execPath, ["--check", path], { encoding: "utf8", timeout: CHECK_MS_MAX });
  const line = new RegExp(`${RegExp.escape(path)}:(\\d+)`).exec(checked.stderr)?.[1];
  return line === undefined ? null : Number(line);
}

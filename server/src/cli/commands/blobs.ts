import { readFile, writeFile } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import type { Command } from "commander";
import { nameFlaw } from "#blobs/names.ts";
import { openClient } from "#cli/access.ts";
import { segment } from "#cli/client.ts";
import { EXIT, type Exit, UsageFault } from "#cli/exit.ts";
import { nextCursor, number, rows, text, timeMs } from "#cli/json.ts";
import { acting, command, examples, type Options, withServer } from "#cli/options.ts";
import { ago, count, paint, size, table } from "#cli/output.ts";
import { clean } from "#cli/text.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Json, JsonObject } from "#domain/json.ts";

const PAGE_MAX = 1_000;
const LIST_MAX = 100_000;
const LIST_DEFAULT = 100;

export function blobsCommand(world: World, answer: (exit: Exit) => void): Command {
  const blobs = command(
    world,
    "tidings blobs",
    "Files by name. Who puts one is answered when it is on disk; functions that wait for its name start in the same commit.",
  );
  const put = command(world, "put", "Keep a file under a name, in place of the one that is there.")
    .argument("<name>", "its name, such as reports/2026-11.csv")
    .argument("<file>", "the file, or - for standard input")
    .option("--type <type>", "its content type (default: by the ending of the name)")
    .option("--new", "only if there is none of this name");
  const list = command(world, "list", "List files by name (the default).")
    .argument("[prefix]", "only names that begin so")
    .option("--limit <n>", `at most so many (default: ${LIST_DEFAULT})`);
  const get = command(world, "get", "Write a file here.")
    .argument("<name>", "its name")
    .argument("[file]", "where to; - prints it, if it is text (default: the last part of its name, in this folder)");
  const rm = command(world, "rm", "Delete a file.").argument("<name>", "its name");
  blobs
    .addCommand(acting(withServer(list), world, answer, runList), { isDefault: true })
    .addCommand(acting(withServer(put), world, answer, runPut))
    .addCommand(acting(withServer(get), world, answer, runGet))
    .addCommand(acting(withServer(rm), world, answer, runRemove))
    .addHelpText(
      "after",
      examples(
        ["tidings blobs put orders/17.json order.json", "keep a file, and start what waits for orders/"],
        ["tidings blobs list orders/", "what is there?"],
        ["tidings blobs get orders/17.json -", "look at it"],
      ),
    );
  return blobs;
}

async function runPut(world: World, [name = "", file = ""]: readonly string[], options: Options): Promise<Exit> {
  const path = pathOf(name);
  const bytes = file === "-" ? await standardInput(world) : await read(resolve(world.cwd, file), file);
  const headers = {
    "content-type": options.text("type") ?? TYPES[extname(name).toLowerCase()] ?? "application/octet-stream",
    ...(options.flag("new") ? { "if-none-match": "*" } : {}),
  };
  using client = await openClient(world, options);
  const { status, body } = await client.call("PUT", path, { bytes, headers });
  if (options.flag("json")) sayJson(world, body);
  else {
    const done = status === 201 ? "new" : "replaced";
    say(world.out, `${paint(world.out, "green", "✓")} ${clean(name)}  ${size(bytes.length)}, ${done}`);
  }
  return EXIT.ok;
}

async function runList(world: World, [prefix = ""]: readonly string[], options: Options): Promise<Exit> {
  const most = options.whole("limit", 1, LIST_MAX) ?? LIST_DEFAULT;
  using client = await openClient(world, options);
  const lines: (readonly string[])[] = [];
  let found = 0;
  let cursor: string | null = null;
  do {
    const limit = Math.min(PAGE_MAX, most - found);
    const page: Json = await client.get("blobs", { prefix, cursor, limit });
    for (const blob of rows(page)) {
      found += 1;
      if (options.flag("json")) sayJson(world, blob);
      else lines.push(cellsOf(blob, world.clock.nowMs()));
    }
    cursor = nextCursor(page);
  } while (cursor !== null && found < most);
  if (options.flag("json")) return EXIT.ok;
  if (found === 0) say(world.err, prefix === "" ? "No files." : `No file's name begins with ${clean(prefix)}.`);
  else for (const line of table(world.out, COLUMNS, lines)) say(world.out, line);
  if (cursor !== null)
    say(world.err, paint(world.err, "dim", `More follow; these are ${count(found, "file")}. --limit`));
  return EXIT.ok;
}

const COLUMNS = [
  { title: "file", cut: "middle" as const, min: 16 },
  { title: "size", align: "right" as const },
  { title: "type", cut: "end" as const, min: 8, drop: 2 },
  { title: "put", align: "right" as const, drop: 1 },
];

function cellsOf(blob: JsonObject, nowMs: number): readonly string[] {
  const putMs = timeMs(blob, "updated");
  return [
    clean(text(blob, "name")),
    size(number(blob, "bytes") ?? 0),
    clean(text(blob, "content_type")),
    putMs === null ? "" : ago(nowMs, putMs),
  ];
}

async function runGet(world: World, [name = "", file]: readonly string[], options: Options): Promise<Exit> {
  const path = pathOf(name);
  using client = await openClient(world, options);
  const bytes = await client.bytes(path);
  if (file === "-") {
    const printed = textOf(bytes);
    if (printed === null) throw new UsageFault(`${clean(name)} is no text; name a file to write it to`);
    world.out.write(printed);
    return EXIT.ok;
  }
  const target = file ?? basename(name);
  try {
    await writeFile(resolve(world.cwd, target), bytes);
  } catch (error) {
    throw new UsageFault(`${target} cannot be written (${error instanceof Error ? error.message : "?"})`);
  }
  if (options.flag("json")) sayJson(world, { name, file: target, bytes: bytes.length });
  else say(world.out, `${paint(world.out, "green", "✓")} ${target}  ${size(bytes.length)}`);
  return EXIT.ok;
}

async function runRemove(world: World, [name = ""]: readonly string[], options: Options): Promise<Exit> {
  const path = pathOf(name);
  using client = await openClient(world, options);
  await client.call("DELETE", path);
  if (options.flag("json")) sayJson(world, { name, deleted: true });
  else say(world.out, `${paint(world.out, "green", "✓")} ${clean(name)} is deleted`);
  return EXIT.ok;
}

/** Looked at before it goes into a URL, where `..` would lead elsewhere. */
function pathOf(name: string): string {
  const flaw = nameFlaw(name);
  if (flaw !== null) throw new UsageFault(flaw);
  return `blobs/${segment(name)}`;
}

async function read(path: string, shown: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageFault(`${shown} cannot be read (${error instanceof Error ? error.message : "?"})`);
  }
}

async function standardInput(world: World): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of world.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".md": "text/markdown",
  ".ndjson": "application/x-ndjson",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".txt": "text/plain",
  ".xml": "application/xml",
  ".zip": "application/zip",
};

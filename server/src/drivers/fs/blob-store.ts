import { hash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { assertBlobId } from "#domain/blob-id.ts";
import { invariant } from "#domain/invariant.ts";
import { faultOf } from "#drivers/fs/fault.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";

/**
 * Blobs as files, `<dir>/3f/a0/<id>`: two levels of 256 folders by the hash of the id, so that ten million blobs leave
 * 150 in a folder, and so that ids which differ only in case stay apart on file systems that ignore it.
 *
 *     put:  <dir>/partial/<id>.<n> ── write, fsync ──▶ rename to its place ── fsync of the folder ──▶ durable
 *
 * A crash on the way leaves a file in `partial/`, which nobody reads and the next opening clears away. A blob's age is
 * its file's modification time, set from our clock.
 */

/** A partial file this old belongs to nobody: the slowest put of the largest blob takes seconds. */
export const PARTIAL_AGE_MS_MAX = 60 * 60 * 1000;
/** Files deleted at the same time; libuv has four threads for all of us. */
const DELETES_AT_ONCE = 4;
const PARTIAL = "partial";
const SHARD = /^[0-9a-f]{2}$/;

/**
 * Opens (and if need be creates) a folder of blobs.
 *
 * @throws {StoreFault} here and from every method, when the file system cannot do it now.
 */
export async function openFsBlobStore(options: { readonly dir: string; readonly clock: Clock }): Promise<BlobStore> {
  return attempt(`open the blobs in ${options.dir}`, async () => {
    const dir = resolve(options.dir);
    await makeFolder(join(dir, PARTIAL));
    await clearPartial(join(dir, PARTIAL), options.clock.nowMs() - PARTIAL_AGE_MS_MAX);
    return new FsBlobStore(dir, options.clock);
  });
}

class FsBlobStore implements BlobStore {
  readonly #dir: string;
  readonly #clock: Clock;
  /** Puts under way by id: the second of two at once is told so, and closing waits for them. */
  readonly #puts = new Map<string, Promise<void>>();
  /** Folders that exist durably, or are about to. */
  readonly #folders = new Map<string, Promise<void>>();
  #count = 0;

  constructor(dir: string, clock: Clock) {
    this.#dir = dir;
    this.#clock = clock;
  }

  async put(id: string, bytes: Uint8Array): Promise<void> {
    assertBlobId(id);
    invariant(!this.#puts.has(id), `the blob ${id} is being written already`);
    const put = attempt(`write the blob ${id}`, () => this.#write(id, bytes));
    this.#puts.set(id, put);
    return put.finally(() => this.#puts.delete(id));
  }

  async get(id: string): Promise<Uint8Array | null> {
    assertBlobId(id);
    return attempt(`read the blob ${id}`, () => readFile(this.#pathOf(id)).catch(nullIfAbsent));
  }

  async delete(ids: readonly string[]): Promise<void> {
    ids.forEach(assertBlobId);
    const paths = ids.map((id) => this.#pathOf(id)).values();
    const work = async (): Promise<void> => {
      for (const path of paths) await rm(path, { force: true });
    };
    await attempt("delete blobs", () => Promise.all(Array.from({ length: DELETES_AT_ONCE }, work)));
  }

  /** In the order of the folders, and of the ids within a folder. */
  async list(beforeMs: number, limit: number, after: string | null): Promise<readonly string[]> {
    if (after !== null) assertBlobId(after);
    return attempt("list blobs", () => this.#list(beforeMs, limit, after));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#puts.values());
  }

  async #write(id: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(id);
    invariant((await stat(path).catch(nullIfAbsent)) === null, `the blob ${id} exists already`);
    const folder = dirname(path);
    const partial = join(this.#dir, PARTIAL, `${id}.${(this.#count += 1)}`);
    try {
      await writeDurably(partial, bytes, this.#clock.nowMs());
      await this.#ensure(dirname(folder));
      await this.#ensure(folder);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {}); // The reason to fail is the first one.
      throw error;
    }
    await syncFolder(folder);
  }

  /** Makes a folder once, however many puts ask for it at the same time. */
  #ensure(folder: string): Promise<void> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const made = makeFolder(folder).catch((error: unknown) => {
      this.#folders.delete(folder);
      throw error;
    });
    this.#folders.set(folder, made);
    return made;
  }

  async #list(beforeMs: number, limit: number, after: string | null): Promise<readonly string[]> {
    const [afterFirst, afterSecond] = after === null ? ["", ""] : shardOf(after);
    const ids: string[] = [];
    for (const first of await shards(this.#dir, afterFirst)) {
      for (const second of await shards(join(this.#dir, first), first === afterFirst ? afterSecond : "")) {
        const folder = join(this.#dir, first, second);
        const from = first === afterFirst && second === afterSecond ? after : null;
        for (const id of (await readdir(folder)).toSorted()) {
          if (ids.length === limit) return ids;
          if (from !== null && id <= from) continue;
          const file = await stat(join(folder, id)).catch(nullIfAbsent);
          if (file !== null && file.mtimeMs < beforeMs) ids.push(id);
        }
      }
    }
    return ids;
  }

  #pathOf(id: string): string {
    return join(this.#dir, ...shardOf(id), id);
  }
}

function shardOf(id: string): readonly [first: string, second: string] {
  const digest = hash("sha1", id);
  return [digest.slice(0, 2), digest.slice(2, 4)];
}

async function shards(dir: string, from: string): Promise<readonly string[]> {
  return (await readdir(dir)).filter((name) => SHARD.test(name) && name >= from).toSorted();
}

async function writeDurably(path: string, bytes: Uint8Array, atMs: number): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(bytes);
  await file.utimes(atMs / 1000, atMs / 1000);
  await file.sync();
}

/** Makes a folder and all above it, and makes each new one known to its parent for good. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let folder = path;
  for (; folder.length > first.length; folder = dirname(folder)) await syncFolder(dirname(folder));
  await syncFolder(dirname(folder));
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // Windows cannot open folders; NTFS keeps a journal of its own.
  await using folder = await open(path, "r");
  await folder.sync();
}

async function clearPartial(dir: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const file = await stat(path).catch(nullIfAbsent);
    if (file !== null && file.mtimeMs < beforeMs) await rm(path, { force: true });
  }
}

function nullIfAbsent(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
  throw error;
}

/** Runs `work`; what the file system refuses becomes a `StoreFault` that says what was tried. */
async function attempt<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error, what);
  }
}

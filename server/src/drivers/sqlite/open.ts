import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Ask } from "#drivers/sqlite/ask.ts";
import { attempt, Database } from "#drivers/sqlite/database.ts";
import { lockStore } from "#drivers/sqlite/lock.ts";
import { migrate } from "#drivers/sqlite/migrate.ts";
import type { Now } from "#drivers/sqlite/now.ts";
import { ReadCore } from "#drivers/sqlite/read-core.ts";
import { rewriteLog } from "#drivers/sqlite/rewrite-log.ts";
import { SqliteStore } from "#drivers/sqlite/store.ts";
import { WorkerLink } from "#drivers/sqlite/worker-link.ts";
import { WriteCore } from "#drivers/sqlite/write-core.ts";
import type { Clock } from "#ports/clock.ts";
import { type Store, StoreFault } from "#ports/store.ts";

export type SqliteOptions = {
  /** The database file; made if it is not there, with its folder. Beside it lie `-wal`, `-shm` and `.lock`. */
  readonly path: string;
  readonly clock: Clock;
  /** Default "worker", which measured best for a thread that also speaks HTTP and SMTP (bench/src/store.ts). */
  readonly layout?: SqliteLayout;
};

/**
 * - `worker`: a thread of its own writes and waits for the disk. The calling thread reads what it needs at once through
 *   a connection of its own, which costs less than asking another thread and waits for no commit. Questions that may
 *   look at very many rows go to a third thread, which begins with the first of them.
 * - `inline`: all in the calling thread; for tests and small tools.
 */
export type SqliteLayout = "worker" | "inline";

/**
 * Opens the store in a SQLite file, which belongs to this opening alone until it is closed. Jobs that the process
 * before held are ready again; what it has lent stays lent.
 *
 * @throws {OperatorFault} `store.locked`, `store.newer` or `store.corrupt`, each saying what to do.
 * @throws {StoreFault} if the disk is full or the file cannot be read.
 */
export async function openSqliteStore({ path, clock, layout = "worker" }: SqliteOptions): Promise<Store> {
  const file = resolve(path);
  const now = (): Now => ({ wallMs: Math.floor(clock.nowMs()), monotonicMs: clock.monotonicMs() });
  await using parts = new AsyncDisposableStack();
  prepareFolder(file);
  parts.use(lockStore(file));
  // The last process may have ended because the disk failed; what only the system's memory holds is written now.
  attempt(() => rewriteLog(`${file}-wal`, null));
  migrateFile(file, now().wallMs);
  const write = parts.use(
    layout === "worker"
      ? new WorkerLink<WriteCore>("write", file, now)
      : inline(new WriteCore(new Database(file, "write")), now),
  );
  const read = parts.use(inline(new ReadCore(new Database(file, "read")), now));
  const scan = layout === "worker" ? parts.use(lazily(() => new WorkerLink<ReadCore>("read", file, now))) : read;
  // What another thread cannot open should stop the start, not the first commit.
  await write.ask("adopt");
  return new SqliteStore(write.ask, read.ask, scan.ask, parts.move());
}

/** A core somewhere, and the way to ask it. */
type Link<Core> = AsyncDisposable & { readonly ask: Ask<Core> };

function prepareFolder(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (error) {
    throw new StoreFault("store.failed", `The folder of ${file} cannot be made`, { cause: error });
  }
}

function migrateFile(file: string, nowMs: number): void {
  const db = new Database(file, "write");
  try {
    migrate(db, file, nowMs);
  } finally {
    db.close();
  }
}

function inline<Core extends Disposable>(core: Core, now: () => Now): Link<Core> {
  // `Ask` lets only names of methods through that take the time first.
  const methods = core as unknown as Readonly<Record<string, (now: Now, ...args: readonly unknown[]) => never>>;
  let isOpen = true;
  return {
    async ask(name, ...args) {
      if (!isOpen) throw new StoreFault("store.failed", "The store is closed");
      return methods[name]?.(now(), ...args) as never;
    },
    async [Symbol.asyncDispose]() {
      isOpen = false;
      core[Symbol.dispose]();
    },
  };
}

/** Made when it is first asked. */
function lazily<Core>(make: () => Link<Core>): Link<Core> {
  let link: Link<Core> | null = null;
  let isOpen = true;
  return {
    async ask(...args) {
      if (!isOpen) throw new StoreFault("store.failed", "The store is closed");
      link ??= make();
      return await link.ask(...args);
    },
    async [Symbol.asyncDispose]() {
      isOpen = false;
      await link?.[Symbol.asyncDispose]();
    },
  };
}

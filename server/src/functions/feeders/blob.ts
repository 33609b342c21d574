/**
 * Each file that is put under a function's prefix is a job of its own, in the commit of the put:
 *
 *     PUT /blobs/NAME ──who listens?──▶ one commit: the file, a job of the queue `blob:FUNCTION` for each
 *                                          └──▶ one call (one-job.ts)
 *
 * Who listens lies in the store, so that every node that takes a file gives it to them: also one whose copy of the function is
 * broken, or is being read anew. Only a server that is started without a folder of functions gives files to nobody. A
 * function listens no longer when a node loads without it (`tidy`); what lies in its queue then stays there.
 */
import type { Shelf, StoredBlob } from "#blobs/shelf.ts";
import type { Document } from "#domain/document.ts";
import type { NewJob } from "#domain/job.ts";
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import { oneJobStage, type Tried } from "#functions/feeders/one-job.ts";
import type { Invoker } from "#functions/invoker.ts";
import { STOP_GRACE_MS } from "#functions/limits.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { StoreFault } from "#ports/store.ts";

/** Queues of files for functions begin so; behind it comes the function's name. */
export const BLOB_QUEUE = "blob:";
/** Who listens: id = the function's name, body = `Listener`. */
export const BLOB_LISTENERS = "function_blobs";
/** Functions that listen; more than a folder holds. */
const LISTENERS_MAX = 1_000;
/** A file's name has no more. */
const PREFIX_CHARS_MAX = 512;

type Listener = { readonly prefix: string };
type Payload = Tried & Pick<StoredBlob, "name" | "bytes" | "contentType" | "sha256" | "blobId">;

export interface BlobFeeder extends Feeder {
  /**
   * Lets functions that are no more listen no longer.
   * @param declared all that run or are about to.
   * @param faulty names of functions that cannot be loaded now, whatever starts them: if they listened, they still do.
   */
  tidy(declared: readonly DeclaredFunction[], faulty: readonly string[]): Promise<void>;
}

export function blobFeeder(engine: Engine, shelf: Pick<Shelf, "onPut">, invoker: Invoker): BlobFeeder {
  shelf.onPut((file, traceparent) => jobsFor(engine, file, traceparent));
  return {
    kind: "blob",
    faultOf: (declared) =>
      prefixOf(declared).length <= PREFIX_CHARS_MAX
        ? null
        : `The prefix has more than ${PREFIX_CHARS_MAX} characters, which no file's name has.`,
    start: async (declared) => {
      await listen(engine, declared);
      return new BlobFeed(engine, invoker, declared);
    },
    tidy: (declared, faulty) => forgetOthers(engine, declared, faulty),
  };
}

/** @throws {StoreFault} */
async function listen(engine: Engine, declared: DeclaredFunction): Promise<void> {
  const { clock, store } = engine.parts;
  const key = { collection: BLOB_LISTENERS, id: declared.name };
  const body = JSON.stringify({ prefix: prefixOf(declared) } satisfies Listener);
  const [known = null] = await store.documents([key]);
  if (known?.body === body) return;
  const verdict = await engine.submit({ puts: [{ ...key, body, when: "always", nowMs: clock.nowMs() }] });
  if (verdict.kind === "overloaded") throw new StoreFault("store.busy", "Too much waits for a commit");
}

/** A job for each function that listens to files of this name. @throws {StoreFault} */
async function jobsFor(engine: Engine, file: StoredBlob, traceparent: string | null): Promise<DraftEffects> {
  const listeners = await engine.parts.store.listDocuments({ collection: BLOB_LISTENERS, limit: LISTENERS_MAX });
  const names = listeners.filter((listener) => file.name.startsWith(prefixIn(listener))).map(({ id }) => id);
  return { jobs: names.map((name) => ({ job: jobOf(engine, name, { file, traceparent }), hand: null })) };
}

type Put = { readonly file: StoredBlob; readonly traceparent: string | null };

function jobOf(engine: Engine, listener: string, { file, traceparent }: Put): NewJob {
  const queue = BLOB_QUEUE + listener;
  const { name, bytes, contentType, sha256, blobId } = file;
  const payload: Payload = { name, bytes, contentType, sha256, blobId };
  return {
    // Another put of the same name has other bytes, and is another job.
    key: `${queue}/${blobId}`,
    queue,
    lane: "transactional",
    turn: engine.turn(queue, "transactional", ""),
    dueMs: 0,
    payload: JSON.stringify(payload),
    traceparent,
  };
}

async function forgetOthers(
  engine: Engine,
  declared: readonly DeclaredFunction[],
  faulty: readonly string[],
): Promise<void> {
  const kept = new Set([...declared.flatMap(({ name, on }) => (on.kind === "blob" ? [name] : [])), ...faulty]);
  const listeners = await engine.parts.store.listDocuments({ collection: BLOB_LISTENERS, limit: LISTENERS_MAX });
  const deletes = listeners.filter(({ id }) => !kept.has(id)).map(({ id }) => ({ collection: BLOB_LISTENERS, id }));
  if (deletes.length > 0) await engine.commit({ deletes });
}

class BlobFeed implements Feed {
  readonly #engine: Engine;
  readonly #runner: StageRunner<never>;
  #declared: DeclaredFunction;

  constructor(engine: Engine, invoker: Invoker, declared: DeclaredFunction) {
    this.#engine = engine;
    this.#declared = declared;
    this.#runner = engine.addStage(
      oneJobStage<Payload>(engine, invoker, {
        queue: BLOB_QUEUE + declared.name,
        declared: () => this.#declared,
        call: (job, { name, bytes, contentType, sha256, blobId }) => ({
          key: job.key,
          input: JSON.stringify({ name, bytes, contentType, sha256, blobId }),
        }),
        done: () => ({ end: { kind: "done" }, effects: {} }),
        gaveUp: (_job, _payload, error) => ({ end: { kind: "dead", error }, effects: {} }),
      }),
    );
  }

  async stop(): Promise<void> {
    await this.#engine.removeStage(this.#runner, STOP_GRACE_MS);
  }

  update(declared: DeclaredFunction): void {
    this.#declared = declared;
  }
}

function prefixIn({ body }: Document): string {
  // Only `listen` writes there.
  return (JSON.parse(body) as Listener).prefix;
}

/** The book starts this feeder for files only. */
function prefixOf({ on }: DeclaredFunction): string {
  if (on.kind !== "blob") throw new Error(`broken invariant: a file was declared as ${on.kind}`);
  return on.prefix;
}

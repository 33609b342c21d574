/**
 * Each file that is put under a function's prefix is a job of its own, in the commit of the put:
 *
 *     PUT /blobs/NAME ──who listens?──▶ one commit: the file, a job of the queue `blob:FUNCTION` for each
 *                                          └──▶ one call (one-job.ts)
 *
 * Who listens lies in the store, so that every node that takes a file gives it to them: also one whose copy of the function is
 * broken or is being read anew, and one that has no folder of functions. A function listens no longer when a node loads without it (`tidy`); what lies in its queue then stays there.
 */
import type { Engine } from "#engine/engine.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Feed, Feeder } from "#functions/feeder.ts";
import {
  BLOB_LISTENERS,
  BLOB_QUEUE,
  type FilePayload,
  type Listener,
  LISTENERS_MAX,
} from "#functions/feeders/blob-listeners.ts";
import { oneJobStage, type Tried } from "#functions/feeders/one-job.ts";
import type { Invoker } from "#functions/invoker.ts";
import { STOP_GRACE_MS } from "#functions/limits.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import { StoreFault } from "#ports/store.ts";

/** A file's name has no more. */
const PREFIX_CHARS_MAX = 512;

type Payload = Tried & FilePayload;

export interface BlobFeeder extends Feeder {
  /**
   * Lets functions that are no more listen no longer.
   * @param declared all that run or are about to.
   * @param faulty names of functions that cannot be loaded now, whatever starts them: if they listened, they still do.
   */
  tidy(declared: readonly DeclaredFunction[], faulty: readonly string[]): Promise<void>;
}

/** Who puts asks `filesToListeners`, whether functions are loaded there or not. */
export function blobFeeder(engine: Engine, invoker: Invoker): BlobFeeder {
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

/** The book starts this feeder for files only. */
function prefixOf({ on }: DeclaredFunction): string {
  if (on.kind !== "blob") throw new Error(`broken invariant: a file was declared as ${on.kind}`);
  return on.prefix;
}

import type { BlobStore } from "#ports/blob-store.ts";
import { StoreFault } from "#ports/store.ts";
import type { Life } from "../support/world.ts";
import type { Machine } from "./machine.ts";

/** Chances per call: large things are rare, so these are high. */
const FAULT_CHANCE = 0.06;
const LOST_ANSWER_CHANCE = 0.06;
const SLOW_CHANCE = 0.2;
/** Longest write: some megabytes to a disk that has other things to do. */
const SLOW_MS_MAX = 10_000;

const NEVER = new Promise<never>(() => {});

/**
 * A place for large things that is slow, fails, and forgets to answer.
 * @param removing is told of what is deleted, before it is gone.
 */
export function slowBlobs(
  blobs: BlobStore,
  machine: Machine,
  life: Life,
  removing: (ids: readonly string[]) => Promise<void>,
): BlobStore {
  const trouble = async <T>(run: () => Promise<T>): Promise<T> => {
    await machine.dawdle("blobs.slow", SLOW_CHANCE, SLOW_MS_MAX);
    if (life.over) return await NEVER;
    if (machine.isFull || machine.happens(FAULT_CHANCE)) {
      machine.counts.add("blobs.failed");
      throw new StoreFault(machine.isFull ? "store.full" : "store.failed", "the blob store says no");
    }
    const done = await run();
    await machine.dawdle("blobs.slow", SLOW_CHANCE, SLOW_MS_MAX);
    if (life.over) return await NEVER;
    if (!machine.happens(LOST_ANSWER_CHANCE)) return done;
    machine.counts.add("blobs.lostAnswer");
    throw new StoreFault("store.failed", "the answer of the blob store was lost");
  };
  return {
    put: (id, bytes) => trouble(() => blobs.put(id, bytes)),
    get: (id) => trouble(() => blobs.get(id)),
    delete: (ids) =>
      trouble(async () => {
        await removing(ids);
        await blobs.delete(ids);
      }),
    list: (beforeMs, limit, after) => trouble(() => blobs.list(beforeMs, limit, after)),
    async [Symbol.asyncDispose]() {},
  };
}

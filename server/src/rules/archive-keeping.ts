import type { Document } from "#domain/document.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import { archiveOf, countIds, countOf } from "#rules/archives.ts";
import {
  ARCHIVE_COUNTS,
  ARCHIVE_TRASH,
  ARCHIVED,
  type ArchiveBody,
  type ArchivedEvent,
  archivePrefix,
  ARCHIVES,
  LIVE,
} from "#rules/collections.ts";
import { archiveThingId } from "#rules/live-thing.ts";
import { ARCHIVES_MAX } from "#rules/limits.ts";

/** How often archives are looked through for what is too old. */
const ROUND_MS = 60_000;
/** Archived events that go in one commit: some 10 ms of work. */
const STEP_EVENTS = 500;
const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * Takes out of archives what is older than they keep, and empties those that were deleted. Runs until the engine stops.
 * @param leads one node is enough for it.
 */
export async function keepArchives(engine: Engine, leads: () => boolean): Promise<void> {
  const { clock, log } = engine.parts;
  while (!engine.signal.aborted) {
    await sleep(clock, ROUND_MS, engine.signal);
    if (engine.signal.aborted || !leads()) continue;
    try {
      await tidyArchives(engine);
    } catch (fault) {
      log.warn("Archives could not be tidied; trying again later", { error: errorText(fault) });
    }
  }
}

/** One round. */
export async function tidyArchives(engine: Engine): Promise<void> {
  const { store, clock } = engine.parts;
  for (const document of await store.listDocuments({ collection: ARCHIVES, limit: ARCHIVES_MAX })) {
    const archive = archiveOf(document);
    if (archive.retentionDays === 0) continue;
    const beforeMs = clock.nowMs() - archive.retentionDays * DAY_MS;
    while (!engine.signal.aborted && (await trim(engine, archive, beforeMs)));
  }
  for (const document of await store.listDocuments({ collection: ARCHIVE_TRASH, limit: ARCHIVES_MAX })) {
    if (engine.signal.aborted) return;
    await empty(engine, document);
  }
}

/** Takes out some that were archived before; returns whether there may be more. */
async function trim(engine: Engine, archive: ArchiveBody, beforeMs: number): Promise<boolean> {
  const { store, clock } = engine.parts;
  const page = await store.listDocuments({ collection: ARCHIVED, prefix: archivePrefix(archive), limit: STEP_EVENTS });
  const old = page.filter(({ createdMs }) => createdMs < beforeMs);
  if (old.length === 0) return false;
  const [, out] = countIds(archive);
  const [counted = null] = await store.documents([{ collection: ARCHIVE_COUNTS, id: out }]);
  const before = countOf(counted);
  const count = {
    events: before.events + old.length,
    bytes: before.bytes + old.reduce((sum, { body }) => sum + (JSON.parse(body) as ArchivedEvent).data.length, 0),
  };
  // Two that believe to be the one who tidies count once.
  const expect = [{ collection: ARCHIVE_COUNTS, id: out, version: counted?.version ?? 0 }];
  const nowMs = clock.nowMs();
  await engine.commit({
    expect,
    deletes: old.map(({ id }) => ({ collection: ARCHIVED, id })),
    puts: [{ collection: ARCHIVE_COUNTS, id: out, body: JSON.stringify(count), when: "always", nowMs }],
  });
  return old.length === page.length;
}

/** The matcher may still be behind the deletion, and copy into it; the last trace goes when it has passed. */
async function empty(engine: Engine, { id, body }: Document): Promise<void> {
  const { store } = engine.parts;
  const archive = JSON.parse(body) as Pick<ArchiveBody, "name" | "generation">;
  const prefix = archivePrefix(archive);
  const [live = null] = await store.documents([{ collection: LIVE, id: archiveThingId(archive.name) }]);
  const isLive = live !== null && (JSON.parse(live.body) as ArchiveBody).generation === archive.generation;
  for (;;) {
    if (engine.signal.aborted) return;
    const page = await store.listDocuments({ collection: ARCHIVED, prefix, limit: STEP_EVENTS });
    if (page.length === 0) break;
    await engine.commit({ deletes: page.map((one) => ({ collection: ARCHIVED, id: one.id })) });
  }
  if (isLive) return;
  const counts = countIds(archive).map((count) => ({ collection: ARCHIVE_COUNTS, id: count }));
  await engine.commit({ deletes: [{ collection: ARCHIVE_TRASH, id }, ...counts] });
}

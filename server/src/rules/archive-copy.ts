import type { DocumentPut } from "#domain/document.ts";
import { ARCHIVE_COUNTS, ARCHIVED, type ArchiveBody, type ArchivedEvent, archivePrefix } from "#rules/collections.ts";
import type { EventView } from "#rules/event-view.ts";
import type { LiveSet } from "#rules/live-set.ts";

/** Digits of the largest place in a journal. */
const POSITION_DIGITS = 16;

/** An event's copy in an archive, and the archive's count with it. */
export function archivePuts(
  archive: ArchiveBody,
  { event }: EventView,
  nowMs: number,
  set: LiveSet,
): readonly DocumentPut[] {
  const { id, source, type, subject, timeMs, data, traceparent, attributes } = event;
  const copy: ArchivedEvent = { id, source, type, subject, timeMs, data, traceparent, attributes };
  const place = String(event.position).padStart(POSITION_DIGITS, "0");
  const counted = set.count(archive, data.length);
  const body = JSON.stringify(copy);
  return [
    { collection: ARCHIVED, id: archivePrefix(archive) + place, body, when: "always", nowMs },
    { collection: ARCHIVE_COUNTS, id: counted.id, body: JSON.stringify(counted.count), when: "always", nowMs },
  ];
}

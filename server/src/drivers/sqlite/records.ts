import type { Database, Query } from "#drivers/sqlite/database.ts";
import { laneNumber } from "#domain/lane-number.ts";
import type { Checkpoint, Effects, OnceRecord, StoredRequest } from "#ports/store.ts";

/** The writer's side of what is kept by one key and otherwise left alone. */
export class Records {
  readonly #request: Query;
  readonly #findOnce: Query<OnceRow>;
  readonly #putOnce: Query;
  readonly #sweep: Query;
  readonly #checkpoint: Query;
  readonly #blob: Query;
  readonly #forgetBlob: Query;

  constructor(db: Database) {
    this.#request = db.query(RECORD_SQL.request);
    this.#findOnce = db.query(RECORD_SQL.findOnce);
    this.#putOnce = db.query(RECORD_SQL.putOnce);
    this.#sweep = db.query(RECORD_SQL.sweep);
    this.#checkpoint = db.query(RECORD_SQL.checkpoint);
    this.#blob = db.query(RECORD_SQL.blob);
    this.#forgetBlob = db.query(RECORD_SQL.forgetBlob);
  }

  addRequest({ id, body, acceptedMs, lane, traceparent, archivedMs }: StoredRequest): void {
    this.#request.run(id, body, acceptedMs, laneNumber(lane), traceparent, archivedMs);
  }

  findOnce(key: string, nowMs: number): OnceRecord | null {
    const row = this.#findOnce.get(key, nowMs);
    return row === undefined ? null : onceOf(row);
  }

  putOnce({ key, fingerprint, status, body, expiresMs }: OnceRecord): void {
    this.#putOnce.run(key, fingerprint, status, body, expiresMs);
  }

  sweep(nowMs: number, limit: number): number {
    return this.#sweep.run(nowMs, limit);
  }

  putCheckpoint({ consumer, partition, position, updatedMs }: Checkpoint): void {
    this.#checkpoint.run(consumer, partition, position, updatedMs);
  }

  nameBlob({ id, bytes, owner }: NonNullable<Effects["blobs"]>[number]): void {
    this.#blob.run(id, bytes, owner);
  }

  forgetBlob(id: string): void {
    this.#forgetBlob.run(id);
  }
}

export type OnceRow = readonly [key: string, fingerprint: string, status: number, body: string, expiresMs: number];

export function onceOf([key, fingerprint, status, body, expiresMs]: OnceRow): OnceRecord {
  return { key, fingerprint, status, body, expiresMs };
}

export const RECORD_SQL = {
  request: `INSERT INTO requests (id, body, accepted_ms, lane, traceparent, archived_ms) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING`,
  findOnce: "SELECT key, fingerprint, status, body, expires_ms FROM once_records WHERE key = ? AND expires_ms > ?",
  putOnce: "INSERT OR REPLACE INTO once_records (key, fingerprint, status, body, expires_ms) VALUES (?, ?, ?, ?, ?)",
  sweep: `DELETE FROM once_records
    WHERE key IN (SELECT key FROM once_records WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)`,
  checkpoint: "INSERT OR REPLACE INTO checkpoints (consumer, partition, position, updated_ms) VALUES (?, ?, ?, ?)",
  forgetBlob: "DELETE FROM blobs WHERE id = ?",
  blob: "INSERT OR IGNORE INTO blobs (id, bytes, owner) VALUES (?, ?, ?)",
} as const;

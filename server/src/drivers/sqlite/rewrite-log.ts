import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";

/** Frames read and written at a time: a megabyte. */
const STEP_FRAMES = 256;
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
const HEADER_BYTES = 32;
const HEADER_SUMMED_BYTES = 24;
const FRAME_HEADER_BYTES = 24;
const FRAME_HEADER_SUMMED_BYTES = 8;
const MAGIC = 0x377f0682;
const [MAGIC_AT, PAGE_BYTES_AT, SALT_AT, SUM_AT] = [0, 8, 16, 24];
const [FRAME_SALT_AT, FRAME_SUM_AT] = [8, 16];

/**
 * Makes the write-ahead log what SQLite takes it for, after the disk has failed. When a sync fails, the system may take
 * the pages for clean that never reached the disk; the next sync then succeeds and says nothing of them, and what is
 * committed behind such a hole is lost when the power goes (https://lwn.net/Articles/752063/). So the frames are written
 * once more, which makes them dirty, and synced. What lies behind them, a commit that failed, is cut off: it would come
 * to life again at the next start.
 *
 * Only for the process that owns the file, and not while it writes.
 *
 * @param frames how many SQLite holds for committed; null when nobody has the file open: as many as are whole.
 * @returns how many of them are whole, by their checksums. Fewer than `frames`: the system has forgotten some.
 * @throws {Error} of the file system: the disk still fails.
 */
export function rewriteLog(path: string, frames: number | null): number {
  const fd = openIfThere(path);
  if (fd === null) return 0;
  try {
    const log = readHeader(fd);
    const whole = log === null ? 0 : rewriteFrames(fd, log, frames ?? Number.POSITIVE_INFINITY);
    if (log !== null && frames === whole) {
      const end = HEADER_BYTES + frames * (FRAME_HEADER_BYTES + log.pageBytes);
      if (readSync(fd, new Uint8Array(1), 0, 1, end) > 0)
        writeSync(fd, new Uint8Array(FRAME_HEADER_BYTES), 0, null, end);
    }
    fsyncSync(fd);
    return whole;
  } finally {
    closeSync(fd);
  }
}

/** `littleEndian`: how the checksums read the words; `sum`: of the header, from which that of the first frame goes on. */
type Log = { readonly pageBytes: number; readonly littleEndian: boolean; readonly salt: Buffer; readonly sum: Sum };
type Sum = readonly [number, number];

function readHeader(fd: number): Log | null {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
  const magic = header.readUInt32BE(MAGIC_AT);
  if ((magic & ~1) !== MAGIC) return null;
  const littleEndian = magic === MAGIC;
  const sum = summed(header, 0, HEADER_SUMMED_BYTES, [0, 0], littleEndian);
  if (!isSum(header, SUM_AT, sum)) return null;
  writeSync(fd, header, 0, HEADER_BYTES, 0);
  return {
    pageBytes: header.readUInt32BE(PAGE_BYTES_AT),
    littleEndian,
    salt: header.subarray(SALT_AT, SUM_AT),
    sum,
  };
}

/** Returns how many frames were whole, and written again. */
function rewriteFrames(fd: number, { pageBytes, littleEndian, salt, sum: first }: Log, framesMax: number): number {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const step = Buffer.alloc(STEP_FRAMES * frameBytes);
  let sum = first;
  let whole = 0;
  for (;;) {
    const at = HEADER_BYTES + whole * frameBytes;
    const wanted = Math.min(STEP_FRAMES, framesMax - whole);
    const read = Math.floor(readSync(fd, step, 0, wanted * frameBytes, at) / frameBytes);
    let good = 0;
    for (; good < read; good += 1) {
      const from = good * frameBytes;
      if (salt.compare(step, from + FRAME_SALT_AT, from + FRAME_SUM_AT) !== 0) break;
      const page = from + FRAME_HEADER_BYTES;
      const headSum = summed(step, from, from + FRAME_HEADER_SUMMED_BYTES, sum, littleEndian);
      const frameSum = summed(step, page, page + pageBytes, headSum, littleEndian);
      if (!isSum(step, from + FRAME_SUM_AT, frameSum)) break;
      sum = frameSum;
    }
    if (good > 0) writeSync(fd, step, 0, good * frameBytes, at);
    whole += good;
    if (good < STEP_FRAMES || whole === framesMax) return whole;
  }
}

/** The checksum of the format, over pairs of words, going on from another. */
function summed(bytes: Buffer, from: number, to: number, [begin0, begin1]: Sum, littleEndian: boolean): Sum {
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  let sum0 = begin0;
  let sum1 = begin1;
  for (let at = from; at < to; at += 8) {
    sum0 = (sum0 + words.getInt32(at, littleEndian) + sum1) | 0;
    sum1 = (sum1 + words.getInt32(at + 4, littleEndian) + sum0) | 0;
  }
  return [sum0, sum1];
}

function isSum(bytes: Buffer, at: number, [sum0, sum1]: Sum): boolean {
  return bytes.readInt32BE(at) === sum0 && bytes.readInt32BE(at + 4) === sum1;
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

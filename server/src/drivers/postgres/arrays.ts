import { toStored } from "#drivers/postgres/text.ts";

/**
 * Columns of a batch as array parameters in Postgres' binary form: neither side escapes or parses, and the server reads a
 * thousand texts as fast as it can copy them. The statement casts each: `$1::text[]`, `$2::bigint[]`, `$3::float8[]`.
 *
 * Form: dimensions, flags, element type, length, lower bound, then each element behind its length (-1: null). See
 * array_recv in Postgres' arrayfuncs.c.
 */
export function texts(values: readonly (string | null)[]): Buffer {
  let bytes = HEAD_BYTES;
  const stored = values.map((value) => {
    const text = value === null ? null : toStored(value);
    // UTF-8 needs at most three bytes for a UTF-16 unit.
    bytes += 4 + (text === null ? 0 : text.length * 3);
    return text;
  });
  const buffer = head(Buffer.allocUnsafe(bytes), TEXT, values.length);
  let at = values.length === 0 ? EMPTY_BYTES : HEAD_BYTES;
  for (const text of stored) {
    const length = text === null ? -1 : buffer.write(text, at + 4, "utf8");
    buffer.writeInt32BE(length, at);
    at += 4 + Math.max(length, 0);
  }
  return buffer.subarray(0, at);
}

export function bigints(values: readonly (number | null)[]): Buffer {
  return eights(values, INT8, (buffer, value, at) => {
    // Whole numbers below 2^53, also negative ones.
    const high = Math.floor(value / 2 ** 32);
    buffer.writeInt32BE(high, at);
    buffer.writeUInt32BE(value - high * 2 ** 32, at + 4);
  });
}

export function doubles(values: readonly (number | null)[]): Buffer {
  return eights(values, FLOAT8, (buffer, value, at) => buffer.writeDoubleBE(value, at));
}

function eights(
  values: readonly (number | null)[],
  type: number,
  write: (buffer: Buffer, value: number, at: number) => void,
): Buffer {
  const buffer = head(Buffer.allocUnsafe(HEAD_BYTES + 12 * values.length), type, values.length);
  let at = values.length === 0 ? EMPTY_BYTES : HEAD_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 8, at);
    at += 4;
    if (value === null) continue;
    write(buffer, value, at);
    at += 8;
  }
  return buffer.subarray(0, at);
}

function head(buffer: Buffer, type: number, count: number): Buffer {
  buffer.writeInt32BE(count === 0 ? 0 : 1, 0);
  // May hold nulls.
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(type, 8);
  if (count === 0) return buffer;
  buffer.writeInt32BE(count, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}

const EMPTY_BYTES = 12;
const HEAD_BYTES = 20;
/** OIDs of element types (pg_type.dat). */
const [TEXT, INT8, FLOAT8] = [25, 20, 701];

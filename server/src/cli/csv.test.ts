import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CsvFault, type CsvRecord, CsvReader, csvLine, guessSeparator, RECORD_BYTES_MAX, readMark } from "#cli/csv.ts";

/** Reads `bytes` cut at the given places. */
function read(bytes: Uint8Array, cuts: readonly number[] = [], separator = ","): CsvRecord[] {
  const reader = new CsvReader(separator);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const records = places.slice(1).flatMap((end, index) => [...reader.push(bytes.subarray(places[index] ?? 0, end))]);
  return [...records, ...reader.end()];
}

const fieldsOf = (text: string, separator = ","): (readonly string[])[] =>
  read(Buffer.from(text), [], separator).map(({ fields }) => fields);

const anyField = fc.string({ unit: fc.constantFrom("a", "é", "日", "🎉", '"', ",", ";", "\n", "\r", " ", "\t", "") });

test("what was written is read again, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyField, { minLength: 1, maxLength: 5 }), { maxLength: 8 }),
      fc.array(fc.nat(500), { maxLength: 6 }),
      fc.constantFrom(",", ";", "\t"),
      (rows, cuts, separator) => {
        const bytes = Buffer.from(rows.map((row) => csvLine(row, separator)).join(""));
        const records = read(bytes, cuts, separator);
        assert.deepEqual(
          records.map(({ fields }) => fields),
          rows,
        );
        assert.ok(records.every(({ problem }) => problem === null));
        assert.equal(records.at(-1)?.end ?? bytes.length, bytes.length);
      },
    ),
  );
});

test("reading goes on at the end of any record as if it had never stopped", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyField, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      (rows, at) => {
        const bytes = Buffer.from(rows.map((row) => csvLine(row, ",")).join(""));
        const whole = read(bytes);
        const index = at % whole.length;
        const [stop, next] = [whole[index], whole[index + 1]];
        const reader = new CsvReader(",", { offset: stop?.end ?? 0, line: next?.line ?? 1 });
        const rest = [...reader.push(bytes.subarray(stop?.end)), ...reader.end()];
        assert.deepEqual(rest, whole.slice(index + 1));
      },
    ),
  );
});

test("any bytes at all are read without an exception other than CsvFault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof CsvFault);
      }
    }),
  );
});

test("line ends of both kinds, blank lines and a missing last one are fine", () => {
  assert.deepEqual(fieldsOf("a,b\r\n\r\n1,2\n\n3,4"), [
    ["a", "b"],
    ["1", "2"],
    ["3", "4"],
  ]);
});

test("a quote inside a bare field is a character like any other", () => {
  assert.deepEqual(fieldsOf('5" pipe,x\nb,c\n'), [
    ['5" pipe', "x"],
    ["b", "c"],
  ]);
});

test("a record says on which line it begins, also behind fields of several lines", () => {
  assert.deepEqual(
    read(Buffer.from('a\n"b\nc"\n\nd\n')).map(({ line }) => line),
    [1, 2, 5],
  );
});

test("text after a closing quote and bytes that are not UTF-8 are problems of their row alone", () => {
  const records = read(
    Buffer.concat([Buffer.from('"a"x,b\n'), Buffer.from([0xff, 0x2c, 0x61, 0x0a]), Buffer.from("c,d\n")]),
  );
  assert.match(records[0]?.problem ?? "", /after a closing quote: "x"/);
  assert.match(records[1]?.problem ?? "", /not valid UTF-8/);
  assert.deepEqual(records[2]?.fields, ["c", "d"]);
  assert.equal(records[2]?.problem, null);
});

test("a quote that is never closed is told with its line, and does not fill the memory", () => {
  assert.throws(() => read(Buffer.from('a\n"b,c\n')), /line 2 is never closed/);
  const reader = new CsvReader(",");
  assert.throws(() => reader.push(Buffer.alloc(RECORD_BYTES_MAX + 2, '"a')), CsvFault);
});

test("the separator is what the header uses outside quotes", () => {
  assert.equal(guessSeparator("email;name;data.x"), ";");
  assert.equal(guessSeparator('"a;b;c",d'), ",");
  assert.equal(guessSeparator("a\tb"), "\t");
  assert.equal(guessSeparator("email"), ",");
});

test("a mark of UTF-8 is passed over; UTF-16 and spreadsheets are told apart", () => {
  assert.deepEqual(readMark(Buffer.from("\uFEFFemail")), { bytes: 3, problem: null });
  assert.match(readMark(Buffer.from([0xff, 0xfe, 0x65, 0])).problem ?? "", /UTF-16/);
  assert.match(readMark(Buffer.from("PK\u0003\u0004")).problem ?? "", /export it as CSV/);
  assert.deepEqual(readMark(Buffer.from("email")), { bytes: 0, problem: null });
});

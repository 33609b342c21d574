import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { csvLine } from "#cli/csv.ts";
import { importCsv } from "#cli/csv-import.ts";
import { readColumns } from "#cli/csv-columns.ts";
import { EXIT } from "#cli/exit.ts";
import { object, rows } from "#cli/json.ts";
import type { JsonObject } from "#domain/json.ts";
import { type FakeServer, fakeServer, type Handler, ran } from "../../test/support/cli-world.ts";

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tidings-csv-"));
  write(name: string, text: string | Uint8Array): string {
    writeFileSync(join(this.path, name), text);
    return name;
  }
  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }
  has(name: string): boolean {
    return existsSync(join(this.path, name));
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A list that keeps what it is given and refuses addresses without a dot. */
function listServer(extra: Handler = () => undefined): Promise<FakeServer> {
  return fakeServer({
    "POST /lists/news/import": (asked, response) => {
      const special = extra(asked, response);
      if (special !== undefined) return special;
      const errors = rows(object(asked.body)["rows"]).flatMap(({ email }, row) =>
        typeof email === "string" && !email.includes(".") ? [{ row, problem: "email is no address" }] : [],
      );
      return { body: { imported: 0, errors } };
    },
  });
}

const sentTo = ({ asked }: FakeServer): readonly JsonObject[] =>
  asked.flatMap(({ body }) => rows(object(body)["rows"]));
const importing = (file: string, { flags }: FakeServer): string[] => [
  "lists",
  "import",
  file,
  "--list",
  "news",
  ...flags,
];
const people = (count: number): string =>
  `email,name\n${Array.from({ length: count }, (_, index) => `p${index}@a.example,Person ${index}\n`).join("")}`;

test("columns become keys of the person and data of the subscription; empty cells say nothing", async () => {
  using folder = new Folder();
  await using server = await listServer();
  const csv =
    '\uFEFFE-Mail;user_id;custom.city;data.plan;Notes\r\nAda@A.example;ada;"Umeå; Norr";gold;x\r\nbo@a.example;;;;\r\n';
  const file = folder.write("people.csv", csv);
  const { exit, out } = await ran([...importing(file, server), "--map", "Notes="], { cwd: folder.path });
  assert.equal(exit, EXIT.ok);
  assert.match(out, /✓ news: 2 rows of people\.csv imported/);
  assert.deepEqual(sentTo(server), [
    { email: "Ada@A.example", user_id: "ada", custom: { city: "Umeå; Norr" }, data: { plan: "gold" } },
    { email: "bo@a.example" },
  ]);
});

test("rows travel in batches of a thousand at most", async () => {
  using folder = new Folder();
  await using server = await listServer();
  await ran(importing(folder.write("p.csv", people(2_500)), server), { cwd: folder.path });
  assert.deepEqual(
    server.asked.map(({ body }) => rows(object(body)["rows"]).length),
    [1_000, 1_000, 500],
  );
  assert.equal(new Set(sentTo(server).map(({ email }) => email)).size, 2_500);
});

test("bad rows are written down with line and reason, stop nobody else, and can be corrected and imported there", async () => {
  using folder = new Folder();
  await using server = await listServer();
  const bytes = Buffer.concat([
    Buffer.from("email,name\nada@a.example,Ada\nnodot@a,Bo\nonly-one-field\n,Nobody\n"),
    Buffer.from([0xff, 0x2c, 0x61, 0x0a]),
    Buffer.from("eve@a.example,Eve\n"),
  ]);
  const file = folder.write("people.csv", bytes);
  const { exit, out } = await ran(importing(file, server), { cwd: folder.path });
  assert.equal(exit, EXIT.no);
  assert.match(out, /2 rows of people.csv imported[\s\S]*4 rows rejected, with reasons: people\.rejected\.csv/);
  assert.deepEqual(folder.read("people.rejected.csv").split("\r\n"), [
    "email,name,tidings_line,tidings_reason",
    "nodot@a,Bo,3,email is no address",
    'only-one-field,4,"has 1 fields, the header has 2"',
    ",Nobody,5,has neither user_id nor email",
    "\uFFFD,a,6,is not valid UTF-8; save the file as UTF-8",
    "",
  ]);
  folder.write(
    "people.rejected.csv",
    "email,name,tidings_line,tidings_reason\r\nbo@a.example,Bo,3,email is no address\r\n",
  );
  assert.equal((await ran(importing("people.rejected.csv", server), { cwd: folder.path })).exit, EXIT.ok);
  assert.deepEqual(sentTo(server).at(-1), { email: "bo@a.example", name: "Bo" });
});

test("an interrupted import goes on where it stopped: every row arrives, none of a finished batch twice", async () => {
  using folder = new Folder();
  const stop = new AbortController();
  let calls = 0;
  await using server = await listServer(() => {
    calls += 1;
    if (calls === 2) stop.abort();
    return undefined;
  });
  const file = folder.write("p.csv", people(3_500));
  const first = await ran(importing(file, server), { cwd: folder.path, signal: stop.signal });
  assert.equal(first.exit, EXIT.interrupted);
  assert.match(first.err, /Stopped after 2,000 rows; the same command goes on/);
  assert.ok(folder.has("p.csv.tidings-progress"));
  const second = await ran(importing(file, server), { cwd: folder.path });
  assert.equal(second.exit, EXIT.ok);
  assert.match(second.err, /Going on after 2,000 rows/);
  assert.ok(!folder.has("p.csv.tidings-progress"));
  const emails = sentTo(server).map(({ email }) => email);
  assert.equal(emails.length, 3_500);
  assert.equal(new Set(emails).size, 3_500);
});

test("a crash between the server's commit and the note repeats one batch and keeps the bad rows single", async () => {
  using folder = new Folder();
  let calls = 0;
  await using server = await listServer(() => {
    calls += 1;
    return calls === 3 ? { status: 500, body: { message: "gone" } } : undefined;
  });
  const csv = people(1_500).replace("p3@a.example", "p3@nodot").replace("p1200@a.example", "p1200@nodot");
  const file = folder.write("p.csv", csv);
  await ran(importing(file, server), { cwd: folder.path });
  const note = folder.read("p.rejected.csv");
  folder.write(
    "p.csv.tidings-progress",
    JSON.stringify({ ...firstNote(folder, csv), rejectedBytes: note.indexOf("p1200") }),
  );
  await ran(importing(file, server), { cwd: folder.path });
  assert.equal((await ran(importing(file, server), { cwd: folder.path })).exit, EXIT.no);
  assert.equal(folder.read("p.rejected.csv").match(/p1200@nodot/g)?.length, 1);
});

/** The note as it stood after the first batch. */
function firstNote(folder: Folder, csv: string): JsonObject {
  const kept = folder.has("p.csv.tidings-progress")
    ? (JSON.parse(folder.read("p.csv.tidings-progress")) as JsonObject)
    : {};
  const offset = Buffer.byteLength(csv.split("\n").slice(0, 1_001).join("\n")) + 1;
  return { ...kept, list: "news", offset, line: 1_002, imported: 999, rejected: 1 };
}

test("another file of the same name, another list, and --restart begin at the beginning", async () => {
  using folder = new Folder();
  await using server = await listServer();
  const file = folder.write("p.csv", people(10));
  const note = {
    list: "news",
    fingerprint: "another",
    offset: 100,
    line: 5,
    imported: 3,
    rejected: 0,
    rejectedBytes: 0,
  };
  folder.write("p.csv.tidings-progress", JSON.stringify(note));
  await ran(importing(file, server), { cwd: folder.path });
  assert.equal(sentTo(server).length, 10);
});

test("while the server says later, the import waits as long as it wishes and loses nothing", async () => {
  using folder = new Folder();
  let calls = 0;
  await using server = await listServer(() => {
    calls += 1;
    return calls <= 2
      ? { status: calls === 1 ? 429 : 503, headers: { "retry-after-ms": "5" }, body: { message: "later" } }
      : undefined;
  });
  const { exit } = await ran(importing(folder.write("p.csv", people(3)), server), { cwd: folder.path });
  assert.equal(exit, EXIT.ok);
  assert.equal(calls, 3);
});

test("a file that is none of what we read is refused with a sentence, and nothing is sent", async () => {
  using folder = new Folder();
  await using server = await listServer();
  for (const [name, bytes, says] of [
    ["empty.csv", "", /the file is empty/],
    ["utf16.csv", new Uint8Array([0xff, 0xfe, 0x65, 0]), /UTF-16; save it as UTF-8/],
    ["noid.csv", "name,city\nAda,Umeå\n", /needs a column user_id or email; it has "name", "city"/],
    ["twice.csv", "email,mail\na@b.c,d\n", /names "email" twice/],
    ["proto.csv", "email,__proto__.x\na@b.c,d\n", /cannot be a key: __proto__\.x/],
    ["quote.csv", 'email\n"a@b.c\n', /line 2 is never closed/],
  ] as const) {
    const { exit, err } = await ran(importing(folder.write(name, bytes), server), { cwd: folder.path });
    assert.equal(exit, EXIT.usage, name);
    assert.match(err, says);
  }
  assert.match(
    (await ran(importing("gone.csv", server), { cwd: folder.path })).err,
    /gone\.csv cannot be read \(ENOENT\)/,
  );
  assert.deepEqual(sentTo(server), []);
});

test("on a terminal a bar moves within 80 columns; elsewhere there are plain lines", async () => {
  using folder = new Folder();
  await using server = await listServer();
  const file = folder.write("p.csv", people(3_000));
  const terminal = await ran(importing(file, server), { cwd: folder.path, columns: 80 });
  const frames = terminal.err.split("\r").map((frame) => frame.replace("\u001b[2K", "").trimEnd());
  assert.ok(frames.some((frame) => /^news ━+ 100% {2}3,000 rows, [\d,]+\/s$/.test(frame)));
  assert.ok(frames.every((frame) => frame.length <= 80));
  const pipe = await ran(importing(file, server), { cwd: folder.path });
  assert.match(pipe.err, /^news: 100%, 3,000 rows, [\d,]+\/s\n$/);
});

test("a header is understood in the words that people use", () => {
  const columns = readColumns(["Email", "First name", "Phone"], new Map());
  assert.ok("rowOf" in columns);
  assert.deepEqual(columns.rowOf([" a@b.c ", "Ada", "+46"]), {
    row: { email: "a@b.c", given_name: "Ada", phone_number: "+46" },
  });
});

/** What people have in their tables, and what would harm a reader that is not careful. */
const cell = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    '"',
    '""',
    "a,b",
    "a;b",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "=1+1",
    "\u0000",
    "__proto__",
    "Umeå",
    "💥",
    "'",
    "\\",
  ),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);

test("any table that was written is read row by row as it was, however often the import is stopped on the way", async () => {
  using folder = new Folder();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }),
      fc.constantFrom(1, 2, 20, 2_300),
      fc.constantFrom(",", ";", "\t"),
      fc.boolean(),
      fc.array(fc.constantFrom("gone", "stop", "fine"), { maxLength: 4 }),
      async (cells, count, separator, marked, fates) => {
        const table = Array.from({ length: count }, (_, at) => [`u${at}`, ...(cells[at % cells.length] ?? ["", ""])]);
        const lines = [["user_id", "city", "data.note"], ...table].map((fields) => csvLine(fields, separator));
        const file = join(folder.path, "any.csv");
        writeFileSync(file, `${marked ? "\uFEFF" : ""}${lines.join("")}`);
        const expected = table.map(([user_id = "", city = "", note = ""]) => ({
          user_id,
          ...(city.trim() === "" ? {} : { city: city.trim() }),
          ...(note.trim() === "" ? {} : { data: { note: note.trim() } }),
        }));
        const sent: JsonObject[] = [];
        const left = [...fates];
        for (let whole = false; !whole; ) {
          const stop = new AbortController();
          const send = async (batch: readonly JsonObject[]) => {
            const fate = left.shift();
            if (fate === "gone") throw new Error("nobody answers");
            if (fate === "stop") stop.abort();
            sent.push(...batch);
            return [];
          };
          const plan = { file, list: "news", maps: new Map(), separator: null, restart: false, send };
          try {
            const report = await importCsv({ ...plan, onProgress: () => {}, signal: stop.signal });
            whole = report.whole;
            if (whole) assert.deepEqual([report.imported, report.rejected], [count, 0]);
          } catch (error) {
            assert.match(String(error), /nobody answers/);
          }
        }
        assert.deepEqual(sent, expected);
        assert.ok(!existsSync(`${file}.tidings-progress`));
      },
    ),
    { numRuns: 40 },
  );
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { durationMs, grouped } from "#config/kinds.ts";
import { renderSettingsMarkdown } from "#config/render-settings.ts";
import { readSettings, type SettingSources, settingNames } from "#config/settings.ts";
import { SETTINGS } from "#config/table.ts";
import { OperatorFault } from "#domain/faults.ts";

/** The lines that name mistakes. */
function mistakes(sources: SettingSources): readonly string[] {
  try {
    readSettings(sources);
  } catch (error) {
    assert.ok(error instanceof OperatorFault && error.code === "config.invalid");
    return error.message
      .split("\n")
      .slice(1, -1)
      .map((line) => line.trim());
  }
  return [];
}

test("with nothing set, it serves loopback, keeps its data beside itself and catches mail", () => {
  const { settings, notes } = readSettings({ env: {} });
  assert.deepEqual(notes, []);
  assert.equal(settings.port, 3300);
  assert.equal(settings.host, "127.0.0.1");
  assert.equal(settings.dataDir, "./.tidings");
  assert.equal(settings.smtpUrl, null);
  assert.equal(settings.journalAgeMaxMs, 30 * 24 * 60 * 60 * 1000);
  assert.equal(settings.webhookAllowPrivate, false);
});

test("flags overrule the file, the environment overrules both, and says so", () => {
  const file = { port: 1000, host: "file.example", webhookAllowPrivate: true };
  const { settings, notes } = readSettings({
    file,
    flags: { port: "2000", host: "flag.example" },
    env: { PORT: "3000" },
  });
  assert.equal(settings.port, 3000);
  assert.equal(settings.host, "flag.example");
  assert.equal(settings.webhookAllowPrivate, true);
  assert.deepEqual(notes, ["--port is overruled by PORT in the environment"]);
});

test("presets stand in for defaults only", () => {
  const presets = { apiKey: "tk_dev_local", log: "pretty" };
  assert.equal(readSettings({ env: {}, presets }).settings.apiKey, "tk_dev_local");
  assert.equal(readSettings({ env: { TIDINGS_API_KEY: "tk_my_own_key" }, presets }).settings.apiKey, "tk_my_own_key");
});

test("an empty variable counts as absent", () => {
  assert.equal(readSettings({ env: { PORT: "", TIDINGS_SMTP_URL: " " } }).settings.port, 3300);
});

test("every mistake is named at once, with what would be right", () => {
  const found = mistakes({
    env: {
      PORT: "70000",
      TIDINGS_JOURNAL_AGE_MAX: "30",
      TIDINGS_ON_UNKNOWN: "maybe",
      TIDINGS_PUBLIC_URL: "acme.example",
    },
    file: { prot: 1, mailFrom: ["a"] },
    flags: { mailboxMax: "0" },
  });
  assert.deepEqual(found, [
    'PORT must be a whole number from 0 to 65,535 (port), not "70000"',
    'TIDINGS_PUBLIC_URL must be a URL such as http://host:port, not "acme.example"',
    'TIDINGS_JOURNAL_AGE_MAX must be a duration from 1m to 3660d, such as 90s, 15m, 12h or 30d, not "30"',
    '--mailbox-max must be a whole number from 1 to 1,000,000 (messages), not "0"',
    "mailFrom in tidings.config.ts must be a text, a number, true or false",
    'TIDINGS_ON_UNKNOWN must be one of retry, hold, not "maybe"',
    "prot in tidings.config.ts is not a setting; did you mean port?",
  ]);
});

test("a complaint about a secret never repeats it", () => {
  for (const name of settingNames().filter((one) => SETTINGS[one].secret)) {
    const [found] = mistakes({ env: { [SETTINGS[name].env]: "hunter2 hunter2\u0000" } });
    assert.match(found ?? "", new RegExp(`^${SETTINGS[name].env} must`));
    assert.ok(!found?.includes("hunter2"), name);
  }
});

test("the store is SQLite unless a Postgres is named; anything else is refused without telling what was given", () => {
  assert.equal(readSettings({ env: {} }).settings.databaseUrl, null);
  for (const url of ["postgres://me:secret@db/tidings", "postgresql:///tidings?host=/run/postgresql"])
    assert.equal(readSettings({ env: { TIDINGS_DATABASE_URL: url } }).settings.databaseUrl, url);
  for (const url of ["mysql://me:secret@db/tidings", "sqlite", "db:5432"]) {
    const [found = ""] = mistakes({ env: { TIDINGS_DATABASE_URL: url } });
    assert.match(found, /^TIDINGS_DATABASE_URL must be a URL such as postgres:.* leave it out to use SQLite$/);
    assert.doesNotMatch(found, /secret/);
  }
});

test("a node with one half of the work needs a database that others can share", () => {
  const [found = ""] = mistakes({ flags: { role: "worker" }, env: {} });
  assert.match(found, /^TIDINGS_ROLE is worker, but SQLite belongs to one process/);
  const env = { TIDINGS_ROLE: "api", TIDINGS_DATABASE_URL: "postgres://db/tidings" };
  assert.equal(readSettings({ env }).settings.role, "api");
});

test("a secret may lie in a file", () => {
  const readFile = (path: string): string => {
    if (path === "/run/secrets/key") return "tk_from_a_file\n";
    throw new Error("ENOENT");
  };
  assert.equal(
    readSettings({ env: { TIDINGS_API_KEY: "file:/run/secrets/key" }, readFile }).settings.apiKey,
    "tk_from_a_file",
  );
  assert.match(
    mistakes({ env: { TIDINGS_API_KEY: "file:/gone" }, readFile })[0] ?? "",
    /the file \/gone, which cannot be read/,
  );
});

test("DKIM needs all three of its settings, and takes a key in one line", () => {
  const key = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA==\\n-----END PRIVATE KEY-----";
  const whole = { TIDINGS_DKIM_DOMAIN: "a.example", TIDINGS_DKIM_SELECTOR: "s1", TIDINGS_DKIM_PRIVATE_KEY: key };
  assert.ok(readSettings({ env: whole }).settings.dkimPrivateKey?.includes("\nMC4"));
  assert.deepEqual(mistakes({ env: { TIDINGS_DKIM_DOMAIN: "a.example" } }), [
    "DKIM needs all three: TIDINGS_DKIM_SELECTOR and TIDINGS_DKIM_PRIVATE_KEY missing",
  ]);
});

test("a variable of ours that is no setting is told of, with what was probably meant", () => {
  const { notes } = readSettings({ env: { TIDINGS_STMP_URL: "smtp://x", PATH: "/bin" } });
  assert.deepEqual(notes, ["TIDINGS_STMP_URL is not a setting of this version; did you mean TIDINGS_SMTP_URL?"]);
});

test("every default is a value that its own setting accepts", () => {
  for (const name of settingNames()) {
    const row = SETTINGS[name];
    if (row.default !== null) assert.ok("value" in row.kind.parse(row.default), name);
  }
});

test("no two settings share a variable or a flag", () => {
  const rows = settingNames().map((name) => SETTINGS[name]);
  assert.equal(new Set(rows.map(({ env }) => env)).size, rows.length);
  assert.equal(new Set(rows.map(({ flag }) => flag)).size, rows.length);
});

test("whatever the environment holds, it is read or refused with names, never with an exception of another kind", () => {
  const variables = settingNames().map((name) => SETTINGS[name].env);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...variables), fc.string()), (env) => {
      for (const line of mistakes({ env })) assert.match(line, /^(TIDINGS_|OTEL_|PORT|HOST|DKIM)/);
    }),
  );
});

test("durations are read in every unit, and nothing else is one", () => {
  assert.deepEqual(
    ["250ms", "90s", "15m", "1.5h", "30d", "2w", " 1 d "].map(durationMs),
    [250, 90_000, 900_000, 5_400_000, 2_592_000_000, 1_209_600_000, 86_400_000],
  );
  for (const no of ["", "30", "d", "-1d", "1y", "1d1h", "1e3s"]) assert.equal(durationMs(no), null, no);
});

test("numbers are grouped for reading", () => {
  assert.deepEqual([0, 999, 1_000, 10_000_000].map(grouped), ["0", "999", "1,000", "10,000,000"]);
});

test("docs/settings.md names the same settings with the same defaults as the table", () => {
  const page = readFileSync(new URL("../../../docs/settings.md", import.meta.url), "utf8");
  assert.equal(
    page,
    renderSettingsMarkdown(),
    "write it anew: npm run tidings -- settings --markdown > docs/settings.md",
  );
  const told = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, env = ""]) => env);
  const known = settingNames().map((name) => SETTINGS[name].env);
  assert.deepEqual(new Set(told), new Set<string>(known));
  assert.equal(told.length, known.length);
});

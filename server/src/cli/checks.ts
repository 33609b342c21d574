import { existsSync, statfsSync, statSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { isAlive } from "#app/is-alive.ts";
import { LOCAL_ACCESS_FILE, reachable, readLocalAccess } from "#cli/access.ts";
import { Client } from "#cli/client.ts";
import { object, text } from "#cli/json.ts";
import { count } from "#cli/output.ts";
import { exposureWarning } from "#cli/serve.ts";
import { isLoopback } from "#domain/loopback.ts";
import { probeSmtp } from "#cli/smtp-probe.ts";
import type { World } from "#cli/world.ts";
import type { Settings } from "#config/settings.ts";
import { SETTINGS } from "#config/table.ts";
import { OPERATOR_FAULTS, OperatorFault } from "#domain/faults.ts";

/** One look at one thing: how it is, and what to do if it is not well. */
export type Finding = {
  readonly about: string;
  readonly verdict: "good" | "warning" | "bad";
  readonly says: string;
  readonly fix: string | null;
};

const GIB = 1024 ** 3;
/** Below this the journal of a busy day does not fit. */
const FREE_BYTES_WANTED = 2 * GIB;
/** Below this SQLite may not be able to grow its log any more. */
const FREE_BYTES_NEEDED = 256 * 1024 * 1024;
/** The Node that this program is written for; older ones lack node:sqlite's features. */
const NODE_MAJOR_MIN = 26;
/** A clock further off signs webhooks and mails that receivers refuse (Standard Webhooks allows five minutes). */
const CLOCK_OFF_MS_MAX = 60_000;
/** File systems on which SQLite's locks cannot be trusted, by the magic number of statfs(2). */
const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
};

const good = (about: string, says: string): Finding => ({ about, verdict: "good", says, fix: null });
const warning = (about: string, says: string, fix: string): Finding => ({ about, verdict: "warning", says, fix });
const bad = (about: string, says: string, fix: string): Finding => ({ about, verdict: "bad", says, fix });

export function checkNode(version: string): Finding {
  const major = Number(version.split(".")[0]);
  if (major >= NODE_MAJOR_MIN) return good("node", version);
  return bad(
    "node",
    `${version} is too old, ${NODE_MAJOR_MIN} is needed`,
    "start Tidings with `npm start` or its own bin, which bring Node along",
  );
}

/** The folder can be written to, durably, on a disk that has room and locks. */
export async function checkDataDir({ dataDir }: Settings): Promise<Finding> {
  const about = "data";
  const probe = join(dataDir, `.doctor-${process.pid}`);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await using file = await open(probe, "w");
    await file.writeFile("ok");
    await file.sync();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return bad(
      about,
      `${dataDir} cannot be written to (${why})`,
      `give this user the right to write, or set ${SETTINGS.dataDir.env}`,
    );
  } finally {
    await rm(probe, { force: true });
  }
  const { bavail, bsize, type } = statfsSync(dataDir);
  const freeBytes = bavail * bsize;
  const free = `${(freeBytes / GIB).toFixed(1)} GiB free`;
  const network = NETWORK_FILE_SYSTEMS[type];
  if (network !== undefined)
    return bad(about, `${dataDir} is on ${network}`, "SQLite needs a local disk: its locks fail there");
  if (freeBytes < FREE_BYTES_NEEDED)
    return bad(about, `${dataDir}, only ${free}`, "free some space: commits fail when the disk is full");
  if (freeBytes < FREE_BYTES_WANTED)
    return warning(about, `${dataDir}, only ${free}`, `free some space, or lower ${SETTINGS.journalEventsMax.env}`);
  return good(about, `${dataDir}, ${free}`);
}

/** A server of ours answers, or nobody has taken the port. */
export async function checkServer(world: World, settings: Settings): Promise<Finding> {
  const about = "server";
  const local = readLocalAccess(join(settings.dataDir, LOCAL_ACCESS_FILE));
  const running = local !== null && isAlive(local.pid);
  const url = running ? local.url : `http://${reachable(settings.host)}:${settings.port}`;
  if (!running && (await isFree(settings))) return good(about, `not running; port ${settings.port} is free`);
  using client = await Client.open({ url, key: null, from: "doctor" });
  try {
    const version = text(object(await client.get("health")), "version");
    await client.get("ready");
    const clock = await clockOffMs(world, client);
    if (clock !== null && Math.abs(clock) > CLOCK_OFF_MS_MAX) {
      return warning(
        about,
        `${url} answers, but its clock is ${Math.round(clock / 1000)} s off ours`,
        "let NTP set both clocks",
      );
    }
    return good(about, `${url} answers${version === "" ? "" : `, version ${version}`}`);
  } catch (error) {
    if (error instanceof OperatorFault) {
      return bad(
        about,
        `${running ? `process ${local.pid} runs but does not answer on ${url}` : `another program has port ${settings.port}`}`,
        running ? "look at its log" : "stop it, or set PORT to another one",
      );
    }
    return bad(about, `${url} is not ready: ${error instanceof Error ? error.message : "?"}`, "look at its log");
  }
}

async function clockOffMs(world: World, client: Client): Promise<number | null> {
  const { headers } = await client.call("GET", "health");
  const date = Date.parse(headers.date ?? "");
  return Number.isFinite(date) ? date - world.clock.nowMs() : null;
}

async function isFree({ port, host }: Settings): Promise<boolean> {
  if (port === 0) return true;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, host, () => server.close(() => resolve(true)));
  return promise;
}

/** The database opens, is of a schema that this program knows, and is whole. */
export async function checkDatabase({ dataDir }: Settings): Promise<readonly Finding[]> {
  const about = "database";
  const path = join(dataDir, "tidings.db");
  if (!existsSync(path)) return [good(about, "none yet; it is made at first start")];
  const { DatabaseSync } = await import("node:sqlite");
  const { refuseMoved } = await import("#app/move-mark.ts");
  const { ours } = await import("#drivers/sqlite/migrate.ts");
  const moved = await refuseMoved(dataDir).catch((error: unknown) => error);
  if (moved instanceof OperatorFault) {
    return [bad(about, moved.message.replace(` [${moved.code}]`, ""), OPERATOR_FAULTS[moved.code])];
  }
  try {
    using db = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
    const row = db.prepare("SELECT coalesce(max(number), 0) AS schema FROM migrations").get();
    const [schema, known] = [Number(row?.["schema"] ?? 0), ours().length];
    const size = `${(statSync(path).size / 1024 ** 2).toFixed(1)} MB`;
    if (schema > known) {
      return [
        bad(
          about,
          `${path} has schema ${schema}, this program knows ${known}`,
          "start the newer Tidings, or restore a backup",
        ),
      ];
    }
    const broken = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (broken !== "ok") return [bad(about, `${path} is damaged: ${String(broken)}`, "restore a backup")];
    const upgrade = schema < known ? `, will be brought to ${known} at the next start` : "";
    return [good(about, `${size}, whole, schema ${schema}${upgrade}`), ...heldBackIn(db)];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [bad(about, `${path} cannot be read (${why})`, "restore a backup, or look at the file's rights")];
  }
}

/** Work that waits for somebody's decision since a backup was restored. */
function heldBackIn(db: DatabaseSync): readonly Finding[] {
  const jobs = Number(db.prepare("SELECT count(*) AS jobs FROM jobs WHERE state = 3").get()?.["jobs"] ?? 0);
  if (jobs === 0) return [];
  const says = `${count(jobs, "job is", "jobs are")} held back since a backup was restored`;
  return [warning("held", says, "`tidings held` tells what it is and lets you decide")];
}

export async function checkMail({ smtpUrl, mailFrom }: Settings): Promise<readonly Finding[]> {
  const about = "mail";
  if (smtpUrl === null) return [good(about, `${SETTINGS.smtpUrl.env} is not set: mail is caught in the mailbox`)];
  const { hostname, port, username } = new URL(smtpUrl);
  const name = `${hostname}${port === "" ? "" : `:${port}`}`;
  const answer = await probeSmtp(smtpUrl);
  if (!answer.ok)
    return [
      bad(
        about,
        `${name} does not take mail: ${answer.problem}`,
        `look at ${SETTINGS.smtpUrl.env} and at the firewall`,
      ),
    ];
  const found: Finding[] = [];
  const loginInTheOpen = username !== "" && !answer.tls && !answer.startTls && !isLoopback(hostname);
  if (loginInTheOpen)
    found.push(
      warning(
        about,
        `${name} offers no TLS, and the password would travel in the open`,
        "use smtps://, or a server with STARTTLS",
      ),
    );
  else
    found.push(good(about, `${name} answers${answer.tls || answer.startTls ? " with TLS" : ""}: ${answer.greeting}`));
  if (mailFrom === SETTINGS.mailFrom.default) {
    found.push(
      warning(
        "sender",
        `mails without a sender of their own come from ${mailFrom}`,
        `set ${SETTINGS.mailFrom.env} to an address of yours`,
      ),
    );
  }
  return found;
}

/** Links in mails lead somewhere, and what is open is meant to be. */
export function checkExposure(settings: Settings): readonly Finding[] {
  const found: Finding[] = [];
  const open = exposureWarning(settings);
  if (open !== null) found.push(warning("exposure", open, "or listen on 127.0.0.1 only"));
  else
    found.push(
      good("exposure", isLoopback(settings.host) ? "listens on this machine only" : "open, with TLS in front"),
    );
  const { publicUrl, smtpUrl } = settings;
  if (publicUrl === null && smtpUrl !== null) {
    const says = `${SETTINGS.publicUrl.env} is not set: unsubscribe links lead to this machine and work for nobody else`;
    found.push(warning("links", says, "set it to the address where recipients reach this server"));
  } else if (publicUrl?.startsWith("http:") === true && !isLoopback(new URL(publicUrl).hostname)) {
    found.push(
      warning(
        "links",
        `${publicUrl} has no TLS; mail programs refuse one-click unsubscribe there (RFC 8058)`,
        "use https://",
      ),
    );
  } else found.push(good("links", publicUrl ?? "lead to this machine; fine while nothing is sent"));
  return found;
}

/** The clock is not before the day on which this program was installed. */
export function checkClock(world: World): Finding {
  const installedMs = statSync(join(dirname(import.meta.filename), "checks.ts")).mtimeMs;
  const nowMs = world.clock.nowMs();
  const now = new Date(nowMs).toISOString();
  if (nowMs < installedMs - CLOCK_OFF_MS_MAX) {
    return bad(
      "clock",
      `${now} is before this program was installed`,
      "let NTP set the clock: delays and signatures depend on it",
    );
  }
  return good("clock", now);
}

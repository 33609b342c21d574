import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trimMemory } from "#app/trim-memory.ts";
import { version } from "#app/version.ts";
import { secretOf } from "#app/house-secrets.ts";
import { MailboxKeeper } from "#app/mailbox-keeper.ts";
import { openProviders } from "#app/providers.ts";
import { blobsFolder, storeFile } from "#app/data-folder.ts";
import { finishRestore } from "#app/restore.ts";
import type { Settings } from "#config/settings.ts";
import { openDirectory } from "#directory/directory.ts";
import { openHttpDoor } from "#doors/http/door.ts";
import { openFsBlobStore } from "#drivers/fs/blob-store.ts";
import { openSqliteStore } from "#drivers/sqlite/open.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { systemDice } from "#drivers/system/dice.ts";
import { systemLog } from "#drivers/system/log.ts";
import { MASTER_KEY_BYTES_MIN, systemSecrets } from "#drivers/system/secrets.ts";
import { Engine } from "#engine/engine.ts";
import { keepUp } from "#engine/upkeep.ts";
import { gaugeProcess } from "#observers/metrics/process-gauges.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import { gaugeStore } from "#observers/metrics/store-gauges.ts";
import { keepCollapsing } from "#pipeline/collapse.ts";
import { buildPipeline } from "#pipeline/pipeline.ts";
import { readRestored } from "#pipeline/restored.ts";
import type { Store } from "#ports/store.ts";

export type RunningServer = {
  readonly url: string;
  /** The first API key, if this start made it; shown once and never again. */
  readonly firstKey: string | null;
  /** What carries each channel, for the lines at start. */
  readonly carriers: readonly { readonly provider: string; readonly channels: readonly string[] }[];
  /** Jobs that wait for somebody's decision since a backup was restored; null when there are none. */
  readonly heldBack: { readonly jobs: number; readonly backupMadeMs: number } | null;
  /** Stops taking, finishes or gives back what is in hand, closes. Safe to call twice. */
  close(): Promise<void>;
};

export type ServerOptions = {
  /** `tidings dev`: everything is caught, and the key is fixed. */
  readonly dev: boolean;
  /** Where log lines go. */
  readonly writeLog: (line: string) => void;
};

/** When starting is surely over, its leftovers are collected. */
const TRIM_AFTER_MS = 1_000;
/** Bytes of a token for this machine's own command line, made at each start. */
const LOCAL_TOKEN_BYTES = 32;

/**
 * The whole server in one process. Reads top to bottom as the order of opening; what is opened is closed in reverse,
 * also when something in between fails.
 * @throws {OperatorFault} when the folder is in use, the data is newer than the program, or the port is taken.
 */
export async function runServer(settings: Settings, options: ServerOptions): Promise<RunningServer> {
  await using parts = new AsyncDisposableStack();
  const clock = systemClock();
  const dice = systemDice();
  const log = systemLog(settings.log, options.writeLog);
  const metrics = openRegistry();

  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 });
  await finishRestore(settings.dataDir, clock);
  const store = parts.use(await openSqliteStore({ path: storeFile(settings.dataDir), clock }));
  const blobs = parts.use(await openFsBlobStore({ dir: blobsFolder(settings.dataDir), clock }));
  const secrets = systemSecrets(
    Buffer.from(await secretOf({ store, dice, clock }, "seal", MASTER_KEY_BYTES_MIN), "base64url"),
  );
  const webhookSecret =
    settings.webhookSecret ?? `whsec_${base64(await secretOf({ store, dice, clock }, "webhook", 32))}`;
  gaugeStore(metrics, store, clock);
  gaugeProcess(metrics, lookAtProcess);

  const engine = new Engine({ store, clock, dice, log, meter: metrics }, settings.backlogMax);
  const keeper = new MailboxKeeper(engine, settings.mailboxMax);
  const providers = await openProviders(settings, { ...options, blobs, clock, webhookSecret, keep: keeper.keep });
  for (const provider of providers) parts.use(provider);
  const localToken = `tk_local_${dice.hex(LOCAL_TOKEN_BYTES)}`;

  // Port 0 is known only when the door is open, and no link is made before that.
  let port = settings.port;
  const publicUrl = (): string =>
    settings.publicUrl?.replace(/\/$/, "") ?? `http://${hostInUrl(settings.host)}:${port}`;
  const pipeline = buildPipeline({
    engine,
    blobs,
    secrets,
    providers,
    publicUrl,
    onUnknown: settings.onUnknown,
    deadlines: { inMs: settings.deadlineMs, late: settings.late },
  });
  const directory = openDirectory(engine, secrets);
  // If a later step of opening fails, the engine must not go on behind our back.
  parts.defer(() => engine.stop(0));
  await engine.start();
  const firstKey = await firstKeyOf(directory.keys.ensureFirstKey(settings.apiKey));
  const upkeep = Promise.all([
    keepUp(engine, blobs, {
      messagesAgeMaxMs: settings.messagesAgeMaxMs,
      journalAgeMaxMs: settings.journalAgeMaxMs,
      journalEventsMax: settings.journalEventsMax,
      evenUnread: false,
    }),
    keeper.trimAlways(),
    keepCollapsing(engine),
  ]);

  const door = await openHttpDoor(
    {
      engine,
      store,
      accept: pipeline.accept,
      desk: pipeline.desk,
      held: pipeline.held,
      blobs,
      clock,
      dice,
      log,
      meter: metrics,
      secrets,
      metrics,
      started: () => !engine.signal.aborted,
      settings: {
        version,
        publicUrl: publicUrl(),
        localTokenDigest: secrets.digest(localToken),
        metricsNeedKey: settings.metricsAuth,
      },
    },
    { port: settings.port, host: settings.host },
  );
  port = Number(new URL(door.url).port);
  const localFile = join(settings.dataDir, "local.json");
  await writeFile(localFile, JSON.stringify({ url: door.url, token: localToken, pid: process.pid }), { mode: 0o600 });

  const trim = clock.after(TRIM_AFTER_MS, trimMemory);

  const heldBack = await heldBackIn(store);
  const open = parts.move();
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    trim.cancel();
    await rm(localFile, { force: true });
    await door[Symbol.asyncDispose]();
    await engine.stop(settings.shutdownGraceMs);
    await upkeep;
    await open[Symbol.asyncDispose]();
  };
  return {
    url: door.url,
    firstKey,
    heldBack,
    carriers: providers.map((provider) => ({ provider: provider.key, channels: provider.channels })),
    close: () => (closing ??= close()),
  };
}

async function heldBackIn(store: Store): Promise<RunningServer["heldBack"]> {
  const restored = await readRestored(store);
  if (restored === null) return null;
  const jobs = (await store.parked()).reduce((sum, place) => sum + place.jobs, 0);
  return jobs === 0 ? null : { jobs, backupMadeMs: restored.backupMadeMs };
}

type FirstKey = Awaited<ReturnType<ReturnType<typeof openDirectory>["keys"]["ensureFirstKey"]>>;

async function firstKeyOf(made: Promise<FirstKey>): Promise<string | null> {
  const first = await made;
  if (first.kind === "done") return first.value;
  throw new Error(`the first key could not be kept: ${JSON.stringify(first)}`);
}

/** An address that listens everywhere is reached at loopback; IPv6 is written in brackets. */
function hostInUrl(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function base64(base64url: string): string {
  return Buffer.from(base64url, "base64url").toString("base64");
}

function lookAtProcess(): { rssBytes: number; heapBytes: number; cpuSeconds: number } {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rssBytes: rss, heapBytes: heapUsed, cpuSeconds: (user + system) / 1e6 };
}

import { leaveAddress } from "#app/local-address.ts";
import { openStore } from "#app/open-store.ts";
import { openTracing } from "#app/open-tracer.ts";
import { trimMemory } from "#app/trim-memory.ts";
import { version } from "#app/version.ts";
import { secretOf } from "#app/house-secrets.ts";
import { MailboxKeeper } from "#app/mailbox-keeper.ts";
import { openProviders } from "#app/providers.ts";
import { sendReader } from "#app/read-send.ts";
import type { Settings } from "#config/settings.ts";
import { openDirectory } from "#directory/directory.ts";
import { openHttpDoor } from "#doors/http/door.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { sha256Hex } from "#drivers/system/digest.ts";
import { systemDice } from "#drivers/system/dice.ts";
import { systemLog } from "#drivers/system/log.ts";
import { MASTER_KEY_BYTES_MIN, systemSecrets } from "#drivers/system/secrets.ts";
import { isLoopback } from "#domain/loopback.ts";
import { type Role, servesDoors } from "#domain/role.ts";
import { Engine } from "#engine/engine.ts";
import { type Nodes, soleNode } from "#engine/nodes.ts";
import { SharedNodes } from "#engine/shared-nodes.ts";
import { keepUp, type Retention } from "#engine/upkeep.ts";
import { gaugeNodes } from "#observers/metrics/node-gauges.ts";
import { gaugeProcess } from "#observers/metrics/process-gauges.ts";
import { openRegistry } from "#observers/metrics/registry.ts";
import { gaugeStore } from "#observers/metrics/store-gauges.ts";
import { keepCollapsing } from "#pipeline/collapse.ts";
import { buildPipeline } from "#pipeline/pipeline.ts";
import { readRestored } from "#pipeline/restored.ts";
import { keepBlobs } from "#blobs/forgetting.ts";
import { Shelf } from "#blobs/shelf.ts";
import { keepIndexes } from "#documents/build-indexes.ts";
import { DocumentDesk } from "#documents/desk.ts";
import type { BookNews } from "#functions/book.ts";
import { filesToListeners } from "#functions/feeders/blob-listeners.ts";
import { functionTarget } from "#functions/feeders/event.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";
import type { Store } from "#ports/store.ts";
import { EventJudge } from "#schemas/judge.ts";
import { SchemaDesk } from "#schemas/schema-desk.ts";
import { openQueues } from "#queues/queues.ts";
import { EventDesk } from "#rules/event-desk.ts";
import { type OpenRules, openRules } from "#rules/open-desk.ts";
import { sendTarget } from "#rules/targets/send.ts";
import { lazyWebCaller } from "#providers/webhook/lazy-web-caller.ts";
import { openWebhooks } from "#webhooks/open.ts";
import { messageShower } from "#doors/http/message-view.ts";

export type RunningServer = {
  readonly url: string;
  readonly role: Role;
  /** Of this start; the other nodes know it by this. */
  readonly nodeId: string;
  /** Where everything is kept, in words. */
  readonly store: string;
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
  /** Where users' functions are; null or absent: there are none, and nothing of them is loaded. */
  readonly functions?: FunctionsPlace | null;
  /** Told after each load of the functions. */
  readonly onFunctions?: (news: BookNews) => void;
};

/** When starting is surely over, its leftovers are collected. */
const TRIM_AFTER_MS = 1_000;
/** Enough that no two nodes have the same. */
const NODE_ID_BYTES = 6;
/** Bytes of a token for this machine's own command line, made at each start. */
const LOCAL_TOKEN_BYTES = 32;

/**
 * The whole server in one process. Reads top to bottom as the order of opening; what is opened is closed in reverse,
 * also when something in between fails.
 * @throws {OperatorFault} when the folder is in use, the data is newer than the program, or the port is taken.
 */
export async function runServer(settings: Settings, options: ServerOptions): Promise<RunningServer> {
  await using parts = new AsyncDisposableStack();
  const dice = systemDice();
  const log = systemLog(settings.log, options.writeLog);
  const metrics = openRegistry();

  const { role } = settings;
  const nodeId = dice.hex(NODE_ID_BYTES);
  const place = parts.use(await openStore(settings, systemClock(), log, nodeId));
  const { store, blobs, clock } = place;
  const secrets = systemSecrets(
    Buffer.from(await secretOf({ store, dice, clock }, "seal", MASTER_KEY_BYTES_MIN), "base64url"),
  );
  const webhookSecret =
    settings.webhookSecret ?? `whsec_${base64(await secretOf({ store, dice, clock }, "webhook", 32))}`;
  gaugeStore(metrics, store, clock);
  gaugeProcess(metrics, lookAtProcess);

  const tracer = await openTracing(settings, nodeId);
  if (tracer !== null) parts.use(tracer);
  const engine = new Engine(
    { store, clock, dice, log, meter: metrics, ...(tracer === null ? {} : { tracer }) },
    settings.backlogMax,
    role,
  );
  const self = { id: nodeId, role, version };
  const shared = store.can.manyNodes ? new SharedNodes(engine, self) : null;
  const nodes: Nodes = shared ?? soleNode(self, clock.nowMs());
  gaugeNodes(metrics, nodes);
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
    nodes,
  });
  const directory = openDirectory(engine, secrets);
  const schemas = new SchemaDesk(engine);
  const events = new EventDesk(engine, secrets, new EventJudge(engine, schemas));
  const queues = openQueues(engine, secrets);
  const webhooks = openWebhooks({
    engine,
    secrets,
    caller: parts.use(lazyWebCaller({ clock })),
    showMessage: messageShower(store),
    rules: () => rules.desk,
  });
  const rules: OpenRules = openRules({
    engine,
    secrets,
    queues: queues.desk,
    kinds: [sendTarget(pipeline.accept, sendReader(), clock), webhooks.target, functionTarget(engine)],
    region: settings.awsRegion,
  });
  const documents = new DocumentDesk(engine);
  const shelf = new Shelf({ engine, blobs, sha256: sha256Hex });
  shelf.onPut(filesToListeners(engine));
  const functions =
    options.functions == null
      ? null
      : parts.use(
          (await import("#app/open-functions.ts")).runFunctions(
            {
              ...{ engine, secrets, queues: queues.desk, events, rules: () => rules.desk, send: pipeline.accept },
              ...{ readSend: sendReader(), documents, subscriptions: directory.subscriptions, blobs },
              region: settings.awsRegion,
            },
            { place: options.functions, watch: options.dev },
          ),
        );
  if (options.onFunctions !== undefined) functions?.book.onNews(options.onFunctions);
  // If a later step of opening fails, the engine must not go on behind our back.
  parts.defer(async () => {
    await engine.stop(0);
    await shared?.leave();
  });
  // Who else is there, and how far the queues have come, is known before anything is sent or accepted.
  await shared?.join();
  await engine.start();
  await rules.start();
  await functions?.book.reload();
  const firstKey = servesDoors(role) ? await firstKeyOf(directory.keys.ensureFirstKey(settings.apiKey)) : null;
  const leads = (): boolean => nodes.leads;
  const upkeep = Promise.all([
    keepUp(engine, blobs, retentionOf(settings), leads),
    keeper.trimAlways(leads),
    keepCollapsing(engine, leads),
    events.quarantine.trimAlways(leads),
    queues.keep(leads),
    rules.keep(leads),
    webhooks.keep(leads),
    keepIndexes(engine, leads),
    keepBlobs(engine, leads),
    functions?.keep(leads),
  ]);

  const door = await openHttpDoor(
    {
      engine,
      store,
      nodes,
      accept: pipeline.accept,
      desk: pipeline.desk,
      held: pipeline.held,
      events,
      schemas,
      queues: queues.desk,
      rules: rules.desk,
      webhooks: webhooks.desk,
      documents,
      shelf,
      ...(functions === null
        ? {}
        : { functions: { desk: functions.desk, routes: functions.routes, seen: functions.seen } }),
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
        aws: {
          region: settings.awsRegion,
          publicUrl: settings.publicUrl?.replace(/\/$/, "") ?? null,
          anyKey: options.dev && isLoopback(settings.host),
        },
      },
    },
    { port: settings.port, host: settings.host },
  );
  port = Number(new URL(door.url).port);
  const address = { url: door.url, token: localToken, pid: process.pid };
  // Commands have nothing to ask a worker.
  const removeAddress = servesDoors(role) ? await leaveAddress(settings.dataDir, address, log) : null;

  const trim = clock.after(TRIM_AFTER_MS, trimMemory);

  const heldBack = await heldBackIn(store);
  const open = parts.move();
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    trim.cancel();
    await removeAddress?.();
    await door[Symbol.asyncDispose]();
    await engine.stop(settings.shutdownGraceMs);
    await upkeep;
    await open[Symbol.asyncDispose]();
  };
  return {
    url: door.url,
    role,
    nodeId,
    store: place.says,
    firstKey,
    heldBack,
    carriers: providers.map((provider) => ({ provider: provider.key, channels: provider.channels })),
    close: () => (closing ??= close()),
  };
}

function retentionOf({ messagesAgeMaxMs, journalAgeMaxMs, journalEventsMax }: Settings): Retention {
  return { messagesAgeMaxMs, journalAgeMaxMs, journalEventsMax, evenUnread: false };
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

import { burstOfNodemailer } from "./raw.ts";
import { acceptsOfRival, burstOfRival, type RivalOptions } from "./rivals/rival.ts";
import type { SinkOffer } from "./sink.ts";
import type { Accepts, Turn } from "./system.ts";
import { acceptsOfTidings, burstOfTidings } from "./tidings.ts";

/** A system that is handed the same burst as the others. */
export type Contestant = {
  /** For `--only`. */
  readonly key: string;
  readonly name: string;
  /** What a power cut may take of what was answered with 202. */
  readonly durable: string;
  readonly run: (warmUp: number, sends: number) => Promise<Turn>;
  /** Accepts while nothing is delivered. */
  readonly accepts?: (warmUp: number, sends: number) => Promise<Accepts>;
};

/** In the order of a round. */
export const CONTESTANTS: readonly Contestant[] = [
  raw("nodemailer-5", 5),
  raw("nodemailer-10", 10),
  {
    ...tidings("tidings", "Tidings", { client: "own", offer: "usual", lone: true }),
    accepts: acceptsOfTidings,
  },
  tidings("tidings-pipelining", "Tidings, server without CHUNKING", {
    client: "own",
    offer: "no CHUNKING",
    lone: false,
  }),
  tidings("tidings-nodemailer", "Tidings with nodemailer as its client", {
    client: "nodemailer",
    offer: "usual",
    lone: false,
  }),
  rival("bullmq", "BullMQ, Redis syncs every second", "no, up to 1 s is lost", {
    queue: "bullmq",
    sync: "everysec",
    concurrency: 50,
    mailConnections: 10,
  }),
  rival("bullmq-always", "BullMQ, Redis syncs always", "fsync", {
    queue: "bullmq",
    sync: "always",
    concurrency: 50,
    mailConnections: 10,
  }),
  rival("pg-boss", "pg-boss, Postgres", "fsync", { queue: "pg-boss", concurrency: 100, mailConnections: 10 }),
  rival("graphile-worker", "graphile-worker, Postgres", "fsync", {
    queue: "graphile-worker",
    concurrency: 20,
    mailConnections: 10,
  }),
];

/** The names by which the report finds who is compared with whom. */
export const OURS = nameOf("tidings");
export const BULLMQ = nameOf("bullmq");
export const PG_BOSS = nameOf("pg-boss");
export const GRAPHILE_WORKER = nameOf("graphile-worker");

/** @throws when there is none of that key, naming those that there are. */
export function pick(keys: string | undefined): readonly Contestant[] {
  if (keys === undefined) return CONTESTANTS;
  const wanted = keys.split(",").map((key) => key.trim());
  const unknown = wanted.filter((key) => !CONTESTANTS.some((one) => one.key === key));
  if (unknown.length > 0) {
    throw new Error(`--only: no ${unknown.join(", ")}; there are ${CONTESTANTS.map(({ key }) => key).join(", ")}`);
  }
  return CONTESTANTS.filter(({ key }) => wanted.includes(key));
}

function nameOf(key: string): string {
  const found = CONTESTANTS.find((one) => one.key === key);
  if (found === undefined) throw new Error(`broken invariant: no contestant ${key}`);
  return found.name;
}

function raw(key: string, connections: number): Contestant {
  return {
    key,
    name: `nodemailer pool, ${connections} connections`,
    durable: "keeps nothing",
    run: async (warmUp, sends) => ({
      ...NOTHING_MORE,
      burst: await burstOfNodemailer(connections, "usual", warmUp, sends),
    }),
  };
}

type TidingsWay = { readonly client: "own" | "nodemailer"; readonly offer: SinkOffer; readonly lone: boolean };

function tidings(key: string, name: string, way: TidingsWay): Contestant {
  return { key, name, durable: "fsync", run: (warmUp, sends) => burstOfTidings(way, warmUp, sends) };
}

function rival(key: string, name: string, durable: string, options: RivalOptions): Contestant {
  return {
    key,
    name,
    durable,
    run: async (warmUp, sends) => ({ ...NOTHING_MORE, ...(await burstOfRival(options, warmUp, sends)) }),
    accepts: (warmUp, sends) => acceptsOfRival(options, warmUp, sends),
  };
}

const NOTHING_MORE = { lone: null, halfLoad: null, restAfterMib: null, statuses: null };

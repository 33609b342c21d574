import { createHash } from "node:crypto";
import type pg from "pg";
import { type Database, statement } from "#drivers/postgres/connection.ts";

/**
 * A node tells the others of its commits no more often: a notification takes a lock that all of the server shares, and
 * workers that are woken for slivers make small, dear commits. The first after a rest goes out at once.
 */
export const TELL_MS = 20;
/** How long our own notification may take to come back, before we believe that none ever will. */
const HEAR_MS_MAX = 1_000;
/** How often it is looked for news where none are told: behind PgBouncer, or while the connection is down. */
const LOOK_MS = 200;
const RECONNECT_MS = 1_000;
/**
 * How soon it is looked again for events that are there, but may not be read while an older transaction runs: nobody
 * tells when that ends. Twice as late each time.
 */
const HELD_BACK_MS = 5;

/**
 * Tells other nodes that there is something to do, and hears it from them, by LISTEN and NOTIFY. Where that does not get
 * through, it looks now and then. Missing a wake costs time and nothing else: the runner looks by itself as well.
 */
export class Wake implements AsyncDisposable {
  readonly #db: Database;
  readonly #channel: string;
  readonly #news: ReturnType<typeof statement>;
  readonly #listeners: (() => void)[] = [];
  #client: pg.Client | null = null;
  /** The process that serves the listening connection: no other node has it. */
  #self = "";
  #heard: (() => void) | null = null;
  #looking: NodeJS.Timeout | null = null;
  #reconnecting: NodeJS.Timeout | null = null;
  #lastNews = "";
  #heldBack: NodeJS.Timeout | null = null;
  #heldBackMs = HELD_BACK_MS;
  #telling: "not" | "resting" | "again" = "not";
  #rest: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(db: Database, schema: string) {
    this.#db = db;
    this.#channel = `tidings_${createHash("sha256").update(schema).digest("hex").slice(0, 20)}`;
    this.#news = statement(newsSql(schema));
  }

  /** Whether others' commits are told; otherwise they are looked for. */
  get isTold(): boolean {
    return this.#client !== null;
  }

  onWake(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async open(): Promise<void> {
    await this.#listen();
    if (!this.isTold) this.#look();
  }

  /** We have made something to do. Returns at once. */
  tell(): void {
    if (this.#closed) return;
    if (this.#telling !== "not") {
      this.#telling = "again";
      return;
    }
    this.#telling = "resting";
    this.#rest = setTimeout(() => {
      const again = this.#telling === "again";
      this.#telling = "not";
      if (again) this.tell();
    }, TELL_MS);
    this.#rest.unref();
    // Others look by themselves after a while.
    this.#notify(this.#self).catch(() => {});
  }

  /** Whether the journal's last page ended at a transaction that has not, with events behind it. */
  onHeldBack(isHeldBack: boolean): void {
    if (!isHeldBack) this.#heldBackMs = HELD_BACK_MS;
    if (!isHeldBack || this.#closed || this.#heldBack !== null) return;
    this.#heldBack = setTimeout(() => {
      this.#heldBack = null;
      this.#wake();
    }, this.#heldBackMs);
    this.#heldBack.unref();
    this.#heldBackMs = Math.min(2 * this.#heldBackMs, LOOK_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#looking, this.#reconnecting, this.#rest, this.#heldBack])
      clearTimeout(timer ?? undefined);
    // What was told to rest goes out, so that nobody waits for a node that has ended.
    if (this.#telling === "again") await this.#notify(this.#self).catch(() => {});
    await this.#client?.end().catch(() => {});
  }

  async #notify(payload: string): Promise<void> {
    await this.#db.ask(NOTIFY, [this.#channel, payload]);
  }

  async #listen(): Promise<void> {
    let client: pg.Client;
    try {
      client = await this.#db.single();
    } catch {
      this.#reconnect();
      return;
    }
    client.on("notification", ({ payload }) => this.#hear(payload ?? ""));
    client.once("end", () => this.#lost(client));
    try {
      const { rows } = await client.query<[number]>({ text: "SELECT pg_backend_pid()", rowMode: "array" });
      this.#self = String(rows[0]?.[0]);
      await client.query(`LISTEN ${this.#channel}`);
      const isHeard = await this.#hearsItself();
      if (isHeard && !this.#closed) this.#client = client;
      else await client.end();
    } catch {
      await client.end().catch(() => {});
      this.#reconnect();
    }
  }

  async #hearsItself(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const heard = new Promise<boolean>((resolve) => {
      this.#heard = () => resolve(true);
      timer = setTimeout(() => resolve(false), HEAR_MS_MAX);
    });
    await this.#notify(QUESTION + this.#self);
    const isHeard = await heard;
    clearTimeout(timer);
    this.#heard = null;
    return isHeard;
  }

  #hear(payload: string): void {
    if (payload === QUESTION + this.#self) this.#heard?.();
    else if (payload !== this.#self && !payload.startsWith(QUESTION)) this.#wake();
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #lost(client: pg.Client): void {
    if (this.#closed || client !== this.#client) return;
    this.#client = null;
    this.#reconnect();
    this.#look();
  }

  #reconnect(): void {
    if (this.#closed) return;
    clearTimeout(this.#reconnecting ?? undefined);
    this.#reconnecting = setTimeout(() => {
      // What was told meanwhile was not heard.
      void this.#listen().then(() => this.#wake());
    }, RECONNECT_MS);
    this.#reconnecting.unref();
  }

  #look(): void {
    if (this.#closed || this.isTold) return;
    clearTimeout(this.#looking ?? undefined);
    this.#looking = setTimeout(() => {
      void this.#lookOnce().then(() => this.#look());
    }, LOOK_MS);
    this.#looking.unref();
  }

  async #lookOnce(): Promise<void> {
    try {
      const { rows } = await this.#db.ask<[last: number | null, isReady: boolean]>(this.#news);
      const [last, isReady] = rows[0] ?? [null, false];
      const isNew = String(last) !== this.#lastNews;
      this.#lastNews = String(last);
      if (isNew || isReady) this.#wake();
    } catch {
      // It is away; the next look tells.
    }
  }
}

/** Before the payload of who only wants to hear itself. */
const QUESTION = "?";

const NOTIFY = statement("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)");

export function newsSql(schema: string): string {
  return `SELECT (SELECT max(position) FROM ${schema}.events), EXISTS (SELECT 1 FROM ${schema}.jobs WHERE state = 1)`;
}

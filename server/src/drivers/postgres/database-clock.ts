import { Database, statement } from "#drivers/postgres/connection.ts";
import { unreachableFault } from "#drivers/postgres/open-fault.ts";
import { steadyWall } from "#domain/steady-wall.ts";
import type { Clock, Timer } from "#ports/clock.ts";

/** How often the offset is measured again: a quartz is off by a few ms an hour. */
export const MEASURE_MS = 60_000;
/** Questions of one measurement: the one that was answered soonest tells most. */
const SAMPLES = 3;

/**
 * The database's time, for all that a node writes into it: so a node whose own clock is wrong does no harm, and all nodes
 * agree. Measured over the connection, to within its round trip; between measurements the machine's monotonic clock
 * carries on, so a wall clock that is set does not matter. While the database is away, it goes on as it was.
 *
 * @throws {OperatorFault} `store.unreachable`.
 */
export async function openDatabaseClock({
  url,
  clock,
}: {
  readonly url: string;
  readonly clock: Clock;
}): Promise<DatabaseClock> {
  try {
    const db = await Database.open({ url, applicationName: "tidings clock", connectionsMax: 1 });
    const opened = new DatabaseClock(db, clock);
    await opened.measure();
    opened.keepMeasuring();
    return opened;
  } catch (error) {
    throw unreachableFault(error, url);
  }
}

export class DatabaseClock implements Clock, AsyncDisposable {
  readonly #db: Database;
  readonly #machine: Clock;
  /** The database's time is the monotonic time and this. */
  #aheadMs = 0;
  readonly #steady = steadyWall();
  #timer: Timer | null = null;

  constructor(db: Database, machine: Clock) {
    this.#db = db;
    this.#machine = machine;
  }

  nowMs(): number {
    const monotonicMs = this.#machine.monotonicMs();
    return this.#steady(monotonicMs + this.#aheadMs, monotonicMs);
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#machine.after(delayMs, run);
  }

  /** Asks the database what time it is. */
  async measure(): Promise<void> {
    let soonestMs = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      const beforeMs = this.#machine.monotonicMs();
      const { rows } = await this.#db.ask<[number]>(NOW);
      const afterMs = this.#machine.monotonicMs();
      const [databaseMs] = rows[0] ?? [Number.NaN];
      if (afterMs - beforeMs >= soonestMs || !Number.isFinite(databaseMs)) continue;
      soonestMs = afterMs - beforeMs;
      this.#aheadMs = databaseMs - (beforeMs + afterMs) / 2;
    }
  }

  keepMeasuring(): void {
    this.#timer = this.#machine.after(MEASURE_MS, () => {
      void this.measure()
        .catch(() => {})
        .then(() => {
          if (this.#timer !== null) this.keepMeasuring();
        });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    await this.#db[Symbol.asyncDispose]();
  }
}

const NOW = statement("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8");

import type { Balance } from "./counts.ts";
import type { SinkAsk, SinkOptions, TimedMail } from "./counting-sink.ts";
import { type Child, scriptFile, start } from "../children.ts";
import type { SmtpSinkStats } from "../smtp-sink.ts";

/** `counting-sink.ts` in a process of its own. */
export class CountingSink implements AsyncDisposable {
  readonly #child: Child;
  readonly port: number;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(options: Partial<SinkOptions> = {}): Promise<CountingSink> {
    const all: SinkOptions = { chunking: false, timed: {}, refused: [], busy: [], ...options };
    const child = start([scriptFile("scale/counting-sink.ts"), JSON.stringify(all)]);
    const { port } = (await child.hear()) as { port: number };
    return new CountingSink(child, port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async stats(): Promise<SmtpSinkStats> {
    return (await this.#ask({ ask: "stats" })) as SmtpSinkStats;
  }

  /** Those that were timed since the last call. */
  async timed(): Promise<readonly TimedMail[]> {
    return (await this.#ask({ ask: "timed" })) as readonly TimedMail[];
  }

  /** How many numbers of this burst have come. */
  async distinct(burst: string): Promise<number> {
    return (await this.#ask({ ask: "distinct", burst })) as number;
  }

  /** Whether each number of the burst below `until` came `expected` times; of `unsure` it is only asked: not more often. */
  async check(burst: string, until: number, expected = 1, unsure: readonly number[] = []): Promise<Balance> {
    return (await this.#ask({ ask: "check", burst, until, expected, unsure })) as Balance;
  }

  #ask(ask: SinkAsk): Promise<unknown> {
    return this.#child.ask(JSON.stringify(ask));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}

import { type Child, scriptFile, start } from "./children.ts";
import type { SmtpSinkStats, SunkMail } from "./smtp-sink.ts";

/** What the mail server offers besides 8BITMIME and SMTPUTF8: what most do, or BDAT as well, as Exchange and Postfix do. */
/** `usual`: PIPELINING and CHUNKING, as Postfix (since 3.4) and Exchange offer by themselves. */
export type SinkOffer = "usual" | "no CHUNKING";

/** The sink in a process of its own. It remembers every mail, to be counted when the clock has stopped. */
export class Sink implements AsyncDisposable {
  readonly #child: Child;
  readonly port: number;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(offer: SinkOffer): Promise<Sink> {
    const flags = offer === "usual" ? ["--chunking"] : [];
    const child = start([scriptFile("smtp-sink.ts"), "--remember", ...flags]);
    const { port } = (await child.hear()) as { port: number };
    return new Sink(child, port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async stats(): Promise<SmtpSinkStats> {
    return (await this.#child.ask("stats")) as SmtpSinkStats;
  }

  async recorded(): Promise<readonly SunkMail[]> {
    return (await this.#child.ask("recorded")) as readonly SunkMail[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
  }
}

import { MAILBOX, mailboxId } from "#directory/collections.ts";
import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import { sleep } from "#engine/sleep.ts";
import type { CaughtItem } from "#providers/mailbox/provider.ts";

/** How often the mailbox is cut back to its size. */
const TRIM_EVERY_MS = 60_000;
/** Caught messages looked at per step. */
const PAGE = 200;

/** Keeps what was caught as documents, the newest `keepMax` of them. */
export class MailboxKeeper {
  readonly #engine: Engine;
  readonly #keepMax: number;
  #caught = 0;
  /** Id of the newest, for what other nodes catch. */
  #newest: string | null = null;

  constructor(engine: Engine, keepMax: number) {
    this.#engine = engine;
    this.#keepMax = keepMax;
  }

  /** One commit for a batch; resolves when it is durable. */
  readonly keep = async (items: readonly CaughtItem[]): Promise<void> => {
    const nowMs = this.#engine.parts.clock.nowMs();
    await this.#engine.commit({
      puts: items.map((item) => ({
        collection: MAILBOX,
        id: mailboxId(item.acceptedMs, item.messageId, item.channel),
        body: JSON.stringify({ ...item, caughtMs: nowMs }),
        terms: [["message", item.messageId], ...recipientTerms(item)],
        when: "always",
        nowMs,
      })),
    });
    this.#caught += items.length;
  };

  /**
   * Cuts the mailbox back now and then, until the engine stops.
   * @param leads of many nodes one is enough for it; it looks whoever has caught something.
   */
  async trimAlways(leads: () => boolean): Promise<void> {
    const { clock, log, store } = this.#engine.parts;
    this.#caught = 1;
    while (!this.#engine.signal.aborted) {
      await sleep(clock, TRIM_EVERY_MS, this.#engine.signal);
      if (this.#engine.signal.aborted || !leads()) continue;
      if (this.#caught === 0 && !(store.can.manyNodes && (await this.#othersCaught()))) continue;
      this.#caught = 0;
      try {
        await this.#trim();
      } catch (fault) {
        log.warn("The mailbox could not be cut back; the next round will", { error: errorText(fault) });
      }
    }
  }

  /** Whether the newest is another one than at the last look; true if the store cannot say. */
  async #othersCaught(): Promise<boolean> {
    const before = this.#newest;
    try {
      const ask = { collection: MAILBOX, order: "descending", limit: 1 } as const;
      const [newest] = await this.#engine.parts.store.listDocuments(ask);
      this.#newest = newest?.id ?? null;
    } catch {
      return true;
    }
    return this.#newest !== before;
  }

  async #trim(): Promise<void> {
    const { store } = this.#engine.parts;
    let after: string | null = null;
    let kept = 0;
    while (!this.#engine.signal.aborted) {
      const page = await store.listDocuments({ collection: MAILBOX, after, limit: PAGE, order: "descending" });
      const beyond = page.slice(Math.max(0, this.#keepMax - kept));
      if (beyond.length > 0) {
        await this.#engine.commit({ deletes: beyond.map(({ id }) => ({ collection: MAILBOX, id })) });
      }
      kept += page.length - beyond.length;
      after = page.at(-1)?.id ?? null;
      if (page.length < PAGE) return;
    }
  }
}

/** By whom it can be found: the address or account that it was for. */
function recipientTerms({ content }: CaughtItem): [string, string][] {
  switch (content.channel) {
    case "email":
    case "sms":
      return [["recipient", content.to.toLowerCase()]];
    case "inbox":
      return [["recipient", content.userId]];
    case "webhook":
      return [["recipient", content.url]];
    case "push":
    case "direct_message":
      return [];
  }
}

import type { Secrets } from "#ports/secrets.ts";

/** One receive of one message. */
export type Receipt = {
  readonly generation: string;
  /** The message's. */
  readonly id: string;
  readonly fence: number;
  /** Until when it was hidden by that receive, if nobody changed it since; Unix epoch ms. */
  readonly untilMs: number;
};

/** Says for what a seal was made: that of a link in a mail is no receipt. */
const PURPOSE = "queue-receipt";

/** Receipt handles: opaque to whoever has one, made only by us. */
export class Receipts {
  readonly #secrets: Secrets;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  write({ generation, id, fence, untilMs }: Receipt): string {
    return this.#secrets.seal([PURPOSE, generation, id, fence, untilMs].join(" "));
  }

  /** Null when it is none of ours. */
  read(text: string): Receipt | null {
    const [purpose, generation, id, fence, untilMs] = this.#secrets.unseal(text)?.split(" ") ?? [];
    if (purpose !== PURPOSE || generation === undefined || id === undefined) return null;
    return { generation, id, fence: Number(fence), untilMs: Number(untilMs) };
  }
}

import { type Channel, isChannel } from "#domain/content.ts";
import type { Content } from "#domain/content.ts";
import { Gate, type GateParts } from "#pipeline/gate.ts";
import type { Provider } from "#ports/provider.ts";

/** Gates kept; idle ones are forgotten beyond this. A webhook host has one each. */
const GATES_MAX = 2_000;

/** The providers of this installation in order of priority, and the gates in front of their destinations. */
export class Providers {
  readonly #all: readonly Provider[];
  readonly #parts: GateParts;
  readonly #gates = new Map<string, Gate>();

  constructor(all: readonly Provider[], parts: GateParts) {
    this.#all = all;
    this.#parts = parts;
    parts.rests.onChange(() => {
      for (const gate of this.#gates.values()) gate.heed();
    });
  }

  /** What an entry of `routing` means: a channel with its providers, or one provider with its first channel. */
  ways(
    entry: string,
    wanted: readonly string[] | undefined,
  ): { channel: Channel; providers: readonly Provider[] } | null {
    if (isChannel(entry)) {
      const able = this.#all.filter((provider) => provider.channels.includes(entry));
      if (wanted === undefined) return { channel: entry, providers: able };
      const ordered = wanted.flatMap((key) => able.filter((provider) => provider.key === key));
      return { channel: entry, providers: ordered };
    }
    const provider = this.#all.find((known) => known.key === entry);
    const channel = provider?.channels[0];
    return provider === undefined || channel === undefined ? null : { channel, providers: [provider] };
  }

  gate(provider: Provider, content: Content): Gate {
    const key = `${provider.key} ${provider.destinationOf?.(content) ?? ""}`;
    let gate = this.#gates.get(key);
    if (gate === undefined) {
      gate = new Gate(provider, key, this.#parts);
      this.#gates.set(key, gate);
      if (this.#gates.size > GATES_MAX) this.#forgetIdle();
    }
    return gate;
  }

  #forgetIdle(): void {
    for (const [key, gate] of this.#gates) if (gate.idle) this.#gates.delete(key);
  }
}

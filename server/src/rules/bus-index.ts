import type { EventView } from "#rules/event-view.ts";
import { compilePattern } from "#rules/pattern/compile.ts";
import { readEvent } from "#rules/pattern/event-leaves.ts";
import { RuleIndex } from "#rules/pattern/rule-index.ts";

/** The patterns of one bus by the ids of their things. */
export class BusIndex {
  readonly #index = new RuleIndex<string>();
  /** Those that take every event. */
  readonly #all = new Set<string>();

  get size(): number {
    return this.#index.size + this.#all.size;
  }

  /**
   * @param pattern null: every event.
   * @throws {Error} when it is no pattern; then nothing is added.
   */
  add(id: string, pattern: string | null): void {
    if (pattern === null) {
      this.#all.add(id);
      return;
    }
    const compiled = compilePattern(pattern);
    if (compiled.kind === "invalid") throw new Error(compiled.reason);
    this.#index.add(id, compiled);
  }

  remove(id: string): void {
    this.#all.delete(id);
    this.#index.remove(id);
  }

  /** In no particular order. */
  match(view: EventView): readonly string[] {
    const leaves = this.#index.size === 0 ? null : readEvent(view.envelope, view.event.data, this.#index.wanted);
    const ids = leaves === null ? [] : this.#index.match(leaves);
    return this.#all.size === 0 ? ids : [...this.#all, ...ids];
  }
}

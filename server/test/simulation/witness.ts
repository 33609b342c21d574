import { invariant } from "#domain/invariant.ts";
import type { RecordedEvent } from "#domain/event.ts";
import type { MemoryStore } from "#drivers/memory/store.ts";

const PAGE_MAX = 1_000;

/** Remembers every event that was ever committed; to be asked to look before anything is trimmed. */
export class Witness {
  /** `events[n]` has position n + 1. */
  readonly events: RecordedEvent[] = [];
  readonly #bySubject = new Map<string, RecordedEvent[]>();
  readonly #told: (event: RecordedEvent) => void;

  /** @param told is called with each event once. */
  constructor(told: (event: RecordedEvent) => void) {
    this.#told = told;
  }

  async look(store: MemoryStore): Promise<void> {
    for (;;) {
      const page = await store.readJournal({ after: this.events.length, limit: PAGE_MAX });
      for (const event of page.events) this.#note(event);
      if (page.events.length < PAGE_MAX) return;
    }
  }

  of(subject: string): readonly RecordedEvent[] {
    return this.#bySubject.get(subject) ?? [];
  }

  #note(event: RecordedEvent): void {
    // Somebody else looked meanwhile.
    if (event.position <= this.events.length) return;
    invariant(event.position === this.events.length + 1, `the witness was late: ${event.position} was trimmed unseen`);
    this.events.push(event);
    const history = this.#bySubject.get(event.subject);
    if (history === undefined) this.#bySubject.set(event.subject, [event]);
    else history.push(event);
    this.#told(event);
  }
}

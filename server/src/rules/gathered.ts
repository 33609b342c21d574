import type { DraftEffects, DraftJob } from "#engine/draft.ts";
import type { DocumentKey, DocumentPut } from "#domain/document.ts";
import type { NewEvent } from "#domain/event.ts";

/** Effects of many deliveries, on their way into one commit. Of a document that is put twice the last one counts. */
export class Gathered {
  readonly #jobs: DraftJob[] = [];
  readonly #keys = new Set<string>();
  readonly #events: NewEvent[] = [];
  readonly #puts = new Map<string, DocumentPut>();
  readonly #deletes = new Map<string, DocumentKey>();
  readonly #rest: DraftEffects[] = [];
  /** How many rows they are, and about how much text. */
  rows = 0;
  chars = 0;

  put(put: DocumentPut): void {
    const name = nameOf(put);
    this.#deletes.delete(name);
    if (!this.#puts.has(name)) this.rows += 1;
    this.#puts.set(name, put);
    this.chars += put.body.length;
  }

  delete(key: DocumentKey): void {
    const name = nameOf(key);
    this.#puts.delete(name);
    this.#deletes.set(name, key);
    this.rows += 1;
  }

  /** Of jobs with the same key the store would take the first, too; and it is that one's hand that is filled. */
  job(job: DraftJob): void {
    if (this.#keys.has(job.job.key)) return;
    this.#keys.add(job.job.key);
    this.#jobs.push(job);
    this.rows += 1;
    this.chars += job.job.payload.length;
  }

  add({ jobs = [], events = [], puts = [], deletes = [], ...rest }: DraftEffects): void {
    for (const job of jobs) this.job(job);
    for (const put of puts) this.put(put);
    for (const key of deletes) this.delete(key);
    for (const event of events) {
      this.#events.push(event);
      this.rows += 1;
      this.chars += event.data.length;
    }
    for (const _ in rest) {
      this.#rest.push(rest);
      break;
    }
  }

  /** All of it, without what there is none of. */
  get effects(): DraftEffects {
    const merged: Record<string, readonly unknown[]> = {};
    for (const rest of this.#rest) {
      for (const [kind, rows] of Object.entries(rest)) merged[kind] = [...(merged[kind] ?? []), ...(rows ?? [])];
    }
    return {
      // Each member is a list, and lists of one kind were joined.
      ...(merged as DraftEffects),
      ...(this.#jobs.length === 0 ? {} : { jobs: this.#jobs }),
      ...(this.#events.length === 0 ? {} : { events: this.#events }),
      ...(this.#puts.size === 0 ? {} : { puts: [...this.#puts.values()] }),
      ...(this.#deletes.size === 0 ? {} : { deletes: [...this.#deletes.values()] }),
    };
  }
}

function nameOf({ collection, id }: DocumentKey): string {
  return `${collection}/${id}`;
}

import { compareCodePoints } from "#drivers/memory/code-points.ts";
import type { Document, DocumentExpectation, DocumentKey, DocumentPut, DocumentQuery, Term } from "#domain/document.ts";

export class MemoryDocuments {
  readonly #collections = new Map<string, Map<string, Kept>>();

  get({ collection, id }: DocumentKey): Document | null {
    return this.#collections.get(collection)?.get(id)?.document ?? null;
  }

  isAsExpected(expectation: DocumentExpectation): boolean {
    return (this.get(expectation)?.version ?? 0) === expectation.version;
  }

  put({ collection, id, body, when, nowMs, terms = [] }: DocumentPut): void {
    const present = this.get({ collection, id });
    if (present !== null && when === "absent") return;
    let documents = this.#collections.get(collection);
    if (documents === undefined) this.#collections.set(collection, (documents = new Map()));
    const [version, createdMs] = [(present?.version ?? 0) + 1, present?.createdMs ?? nowMs];
    documents.set(id, { document: { collection, id, body, version, createdMs, updatedMs: nowMs }, terms });
  }

  delete({ collection, id }: DocumentKey): void {
    this.#collections.get(collection)?.delete(id);
  }

  clear(collection: string, prefix: string): void {
    const documents = this.#collections.get(collection);
    for (const id of [...(documents?.keys() ?? [])]) if (id.startsWith(prefix)) documents?.delete(id);
  }

  list({ collection, prefix = "", term, after = null, limit, order = "ascending" }: DocumentQuery): Document[] {
    const sign = order === "ascending" ? 1 : -1;
    const found: Document[] = [];
    for (const { document, terms } of this.#collections.get(collection)?.values() ?? []) {
      if (!document.id.startsWith(prefix)) continue;
      if (after !== null && sign * compareCodePoints(document.id, after) <= 0) continue;
      if (term === undefined || terms.some(([name, value]) => name === term[0] && value === term[1]))
        found.push(document);
    }
    return found.sort((a, b) => sign * compareCodePoints(a.id, b.id)).slice(0, limit);
  }
}

type Kept = { readonly document: Document; readonly terms: readonly Term[] };

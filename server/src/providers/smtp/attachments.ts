import type { EmailContent } from "#domain/content.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { BlobStore } from "#ports/blob-store.ts";

/** The bytes of all attachments, or why there are none. */
export async function readFiles(content: EmailContent, blobs: Pick<BlobStore, "get">): Promise<Uint8Array[] | Outcome> {
  const files: Uint8Array[] = [];
  for (const attachment of content.attachments) {
    let bytes: Uint8Array | null;
    try {
      bytes = await blobs.get(attachment.blob);
    } catch (error) {
      return { kind: "retry", reason: `an attachment cannot be read: ${error instanceof Error ? error.message : "?"}` };
    }
    if (bytes === null) return { kind: "refused", reason: `the attachment ${attachment.blob} does not exist any more` };
    files.push(bytes);
  }
  return files;
}

/** Lets so many in at a time, first come first served. */
export class Turnstile {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves with what gives the place back. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    };
  }
}

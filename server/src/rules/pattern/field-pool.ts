import { invariant } from "#domain/invariant.ts";
import type { Clause, Field } from "./compile.ts";

/**
 * Makes equal fields of different patterns one object: ten thousand rules for the same `source` then share its test, which
 * stays at hand for the processor instead of being fetched for each of them.
 */
export class FieldPool {
  readonly #shared = new Map<string, { readonly field: Field; uses: number }>();

  /** The same clause of shared fields. */
  share({ fields, choices }: Clause): Clause {
    return {
      fields: fields.map((field) => this.#share(field)),
      choices: choices.length === 0 ? NONE : choices.map((branches) => branches.map((branch) => this.share(branch))),
    };
  }

  /** Takes back one `share`. */
  release({ fields, choices }: Clause): void {
    for (const field of fields) {
      const text = textOf(field);
      const shared = this.#shared.get(text);
      invariant(shared !== undefined, "only what is shared is released");
      shared.uses -= 1;
      if (shared.uses === 0) this.#shared.delete(text);
    }
    for (const branch of choices.flat()) this.release(branch);
  }

  #share(field: Field): Field {
    const text = textOf(field);
    let shared = this.#shared.get(text);
    if (shared === undefined) this.#shared.set(text, (shared = { field, uses: 0 }));
    shared.uses += 1;
    return shared.field;
  }
}

const NONE: Clause["choices"] = [];

/** The same for equal fields. An open end of a range becomes null, which no closed one does. */
function textOf(field: Field): string {
  return JSON.stringify(field);
}

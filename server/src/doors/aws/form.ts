/**
 * A form of the Query protocol as the tree that its names draw: `Attribute.2.Name=x` is child `Name` of child `2` of child
 * `Attribute`.
 */
export class FormField {
  /** Undefined: only names below it were given. */
  value: string | undefined = undefined;
  #children: Map<string, FormField> | null = null;

  child(name: string): FormField | undefined {
    return this.#children?.get(name);
  }

  /** Items by the value of their number, whatever their order in the form. */
  numbered(): readonly (readonly [number, FormField])[] {
    if (this.#children === null) return [];
    const items: (readonly [number, FormField])[] = [];
    for (const [name, field] of this.#children) if (/^\d{1,9}$/.test(name)) items.push([Number(name), field]);
    return items.toSorted(([one], [other]) => one - other);
  }

  /** @internal */
  grow(name: string): FormField {
    this.#children ??= new Map();
    let child = this.#children.get(name);
    if (child === undefined) {
      child = new FormField();
      this.#children.set(name, child);
    }
    return child;
  }
}

/** Most fields of one form: ten entries with ten attributes of three fields, many times over. */
export const FORM_FIELDS_MAX = 10_000;
/** Deepest name: `SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue` has six parts. */
const NAME_DEPTH_MAX = 8;

/**
 * Adds the fields of `application/x-www-form-urlencoded` text to a tree. Of a name given twice, the first counts.
 * @returns a sentence about what is wrong; null when all was read.
 */
export function readForm(encoded: string, root: FormField): string | null {
  let fields = 0;
  for (let from = 0; from < encoded.length; ) {
    const mark = encoded.indexOf("&", from);
    const end = mark === -1 ? encoded.length : mark;
    if (end > from) {
      fields += 1;
      if (fields > FORM_FIELDS_MAX) return `A request may have ${FORM_FIELDS_MAX} parameters.`;
      const says = readField(encoded, from, end, root);
      if (says !== null) return says;
    }
    from = end + 1;
  }
  return null;
}

function readField(encoded: string, from: number, end: number, root: FormField): string | null {
  const sign = encoded.indexOf("=", from);
  const nameEnd = sign === -1 || sign > end ? end : sign;
  const name = decoded(encoded.slice(from, nameEnd));
  const value = decoded(nameEnd === end ? "" : encoded.slice(nameEnd + 1, end));
  if (name === null || value === null) return "A parameter is not percent-encoded UTF-8.";
  const parts = name.split(".");
  if (parts.length > NAME_DEPTH_MAX) return "The name of a parameter has too many parts.";
  let field = root;
  for (const part of parts) field = field.grow(part);
  field.value ??= value;
  return null;
}

/** A blank may be `+` or `%20`. Null: not UTF-8, or a lone percent sign. */
function decoded(part: string): string | null {
  const blanks = part.includes("+") ? part.replaceAll("+", " ") : part;
  if (!blanks.includes("%")) return blanks;
  try {
    return decodeURIComponent(blanks);
  } catch {
    return null;
  }
}

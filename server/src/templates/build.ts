import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { ELEMENTS_MAX, FAULTS_MAX, TEMPLATE_CHARS_MAX, TEMPLATE_TAGS_MAX } from "./limits.ts";
import { parseTemplate, type TextNode } from "./syntax.ts";

/** What is wrong with a template, and where: `path` is like `content.elements[2].loop`. */
export type TemplateFault = { readonly path: string; readonly problem: string };

/** One compilation: it counts what it has seen and collects what is wrong. */
export class Build {
  readonly faults: TemplateFault[] = [];
  /** The template says itself how to unsubscribe; the footer need not. */
  mentionsUnsubscribe = false;
  #elements = 0;
  #chars = 0;
  #tags = 0;

  fault(path: string, problem: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ path, problem });
  }

  /** False once there are too many; the caller then goes no further. */
  countElement(path: string): boolean {
    this.#elements += 1;
    if (this.#elements === ELEMENTS_MAX + 1) this.fault(path, `the template has more than ${ELEMENTS_MAX} elements`);
    return this.#elements <= ELEMENTS_MAX;
  }

  /** Takes a field's text apart; nothing when it is missing or wrong. */
  text(value: Json | undefined, path: string): readonly TextNode[] {
    if (value === undefined || value === null) return [];
    if (typeof value === "number" || typeof value === "boolean") return [{ kind: "literal", text: String(value) }];
    if (typeof value !== "string") {
      this.fault(path, "must be a text");
      return [];
    }
    const before = this.#chars;
    this.#chars += value.length;
    if (this.#chars > TEMPLATE_CHARS_MAX) {
      if (before <= TEMPLATE_CHARS_MAX)
        this.fault(path, `the template is longer than ${TEMPLATE_CHARS_MAX} characters`);
      return [];
    }
    if (value.includes("urls.unsubscribe")) this.mentionsUnsubscribe = true;
    const parsed = parseTemplate(value);
    if (!parsed.ok) {
      this.fault(path, parsed.problem);
      return [];
    }
    const fits = this.#tags <= TEMPLATE_TAGS_MAX;
    this.#tags += parsed.tags;
    if (this.#tags <= TEMPLATE_TAGS_MAX) return parsed.nodes;
    if (fits) this.fault(path, `the template has more than ${TEMPLATE_TAGS_MAX} variables`);
    // Nothing more is read: what is there is refused anyway.
    this.#chars = TEMPLATE_CHARS_MAX + 1;
    return [];
  }

  /** A list of objects; nothing when it is missing or wrong. */
  objects(value: Json | undefined, path: string): readonly JsonObject[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.fault(path, "must be a list of elements");
      return [];
    }
    const objects: JsonObject[] = [];
    for (const [at, item] of (value as readonly Json[]).entries()) {
      if (isJsonObject(item)) objects.push(item);
      else this.fault(`${path}[${at}]`, "must be an element: an object with a type");
    }
    return objects;
  }
}

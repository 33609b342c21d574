import type { Engine } from "#engine/engine.ts";
import { errorText } from "#engine/error-text.ts";
import type { Json } from "#domain/json.ts";
import type { JudgedEvent, Judgement, SchemaJudge } from "#rules/event-desk.ts";
import type { Validator } from "#schemas/compile.ts";
import { BELIEVED_MS, COMPILED_MAX } from "#schemas/limits.ts";
import {
  ANY_SOURCE,
  headId,
  NO_POLICY,
  type Policy,
  type PolicyVerdict,
  SCHEMA_POLICIES,
  type SchemaHead,
  SCHEMAS,
  versionId,
} from "#schemas/schema.ts";
import type { SchemaDesk } from "#schemas/schema-desk.ts";

/** What is believed of the store. */
type Memory = {
  readonly policies: ReadonlyMap<string, Policy>;
  /** Of the sources without a policy of their own. */
  readonly others: Policy;
  readonly heads: ReadonlyMap<string, SchemaHead>;
  readonly untilMs: number;
};

/**
 * Judges events by the schemas of their types, as the policy of their source wants it. Policies and heads are in memory; a
 * house without a policy looks nowhere, and a schema is compiled when its first event comes.
 */
export class EventJudge implements SchemaJudge {
  readonly #desk: SchemaDesk;
  readonly #engine: Engine;
  #memory: Memory | null = null;
  #loading: Promise<Memory> | null = null;
  /** Grows with each change, so that what was read before it is not believed after it. */
  #changes = 0;
  /** By version, the least used first. Null: does not compile any more. */
  readonly #compiled = new Map<string, Validator | null>();

  constructor(engine: Engine, desk: SchemaDesk) {
    this.#engine = engine;
    this.#desk = desk;
    engine.onCommitted(({ puts, deletes }) => {
      if (!touches(puts) && !touches(deletes)) return;
      this.#changes += 1;
      this.#memory = null;
      this.#loading = null;
      this.#compiled.clear();
    });
  }

  judge(event: JudgedEvent): Judgement | null | Promise<Judgement | null> {
    const memory = this.#recall();
    return memory instanceof Promise ? memory.then((one) => this.#by(one, event)) : this.#by(memory, event);
  }

  #by(memory: Memory, event: JudgedEvent): Judgement | null | Promise<Judgement | null> {
    const { source, type } = event;
    const { unfit, unknown } = memory.policies.get(source) ?? memory.others;
    if (unfit === "ignore" && unknown === "ignore") return null;
    const head = memory.heads.get(headId({ type, source })) ?? memory.heads.get(type);
    if (head === undefined) return verdict(unknown, `There is no schema for the type ${quoted(type)}.`);
    if (head.state === "off" || unfit === "ignore") return null;
    const version = versionOf(event, head);
    const validate = this.#recallValidator(head, version);
    if (validate instanceof Promise) return validate.then((one) => judged(one, event, version, unfit));
    return judged(validate, event, version, unfit);
  }

  #recall(): Memory | Promise<Memory> {
    const memory = this.#memory;
    if (memory === null) return this.#load();
    // What another node changed is seen soon; nobody waits for it.
    if (memory.untilMs <= this.#engine.parts.clock.monotonicMs()) {
      this.#memory = { ...memory, untilMs: this.#engine.parts.clock.monotonicMs() + BELIEVED_MS };
      void this.#load().catch((fault: unknown) => {
        this.#engine.parts.log.warn("The schemas could not be read anew; the next look will", {
          error: errorText(fault),
        });
      });
    }
    return memory;
  }

  #load(): Promise<Memory> {
    return (this.#loading ??= this.#read().finally(() => {
      this.#loading = null;
    }));
  }

  async #read(): Promise<Memory> {
    for (;;) {
      const before = this.#changes;
      const policies = await this.#desk.policies();
      const asks = [...policies.values()].some(({ unfit, unknown }) => unfit !== "ignore" || unknown !== "ignore");
      const heads = asks ? await this.#desk.heads() : [];
      if (before !== this.#changes) continue;
      const { manyNodes } = this.#engine.parts.store.can;
      const memory: Memory = {
        policies,
        others: policies.get(ANY_SOURCE) ?? NO_POLICY,
        heads: new Map(heads.map((head) => [headId(head), head])),
        untilMs: manyNodes ? this.#engine.parts.clock.monotonicMs() + BELIEVED_MS : Number.POSITIVE_INFINITY,
      };
      this.#memory = memory;
      return memory;
    }
  }

  #recallValidator(head: SchemaHead, version: number): Validator | null | Promise<Validator | null> {
    // One that was removed and made anew begins at version 1 again.
    const id = `${versionId(head, version)} ${head.createdMs}`;
    const known = this.#compiled.get(id);
    if (known === undefined) return this.#compile(head, version, id);
    this.#compiled.delete(id);
    this.#compiled.set(id, known);
    return known;
  }

  async #compile(head: SchemaHead, version: number, id: string): Promise<Validator | null> {
    const kept = await this.#desk.version(head, version);
    const { compileSchema } = await import("#schemas/compile.ts");
    // What was put has been compiled before; a newer program may be stricter.
    const compiled = kept === null ? null : compileSchema(kept.text, JSON.parse(kept.text) as Json);
    if (compiled?.ok !== true) {
      this.#engine.parts.log.warn("A schema cannot be used; its events are not judged", {
        type: head.type,
        version,
        error: compiled?.says ?? "it is gone",
      });
    }
    const validator = compiled?.ok === true ? compiled.validate : null;
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size >= COMPILED_MAX && oldest !== undefined) this.#compiled.delete(oldest);
    this.#compiled.set(id, validator);
    return validator;
  }
}

function touches(documents: readonly { readonly collection: string }[] | undefined): boolean {
  return documents?.some(({ collection }) => collection === SCHEMAS || collection === SCHEMA_POLICIES) === true;
}

/** An event says by `dataschema` that it was made for an older version, which is then asked: `…/versions/3`. */
function versionOf({ attributes }: JudgedEvent, { latest }: SchemaHead): number {
  const named = Number(/\/versions\/(\d{1,4})$/.exec(attributes.dataschema ?? "")?.[1] ?? latest);
  return named >= 1 && named <= latest ? named : latest;
}

function judged(
  validate: Validator | null,
  { data, type }: JudgedEvent,
  version: number,
  unfit: PolicyVerdict,
): Judgement | null {
  // Doors hand over JSON text only.
  const says = validate === null ? null : validate(JSON.parse(data) as Json);
  if (says === null) return null;
  return verdict(unfit, `The data does not fit version ${version} of the schema of ${quoted(type)}: ${says}.`);
}

function verdict(kind: PolicyVerdict, says: string): Judgement | null {
  return kind === "ignore" ? null : { kind, says };
}

function quoted(type: string): string {
  return JSON.stringify(type.length > 80 ? `${type.slice(0, 80)}…` : type);
}

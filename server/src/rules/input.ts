import { invariant, unreachable } from "#domain/invariant.ts";
import type { EventView } from "#rules/event-view.ts";
import { cut, type JsonPath, type PathTree, readJsonPath, weave } from "#rules/json-cut.ts";
import { INPUT_PATHS_MAX } from "#rules/limits.ts";
import type { TargetInput } from "#rules/rule.ts";

/** What a template may name besides the event. */
export type InputContext = {
  readonly ruleArn: string;
  readonly ruleName: string;
  /** When the event came in. */
  readonly ingestedMs: number;
};

/** What a target is told of an event: text, mostly JSON. */
export type FillInput = (view: EventView, context: InputContext) => string;

export type InputCompiled =
  | { readonly kind: "input"; readonly fill: FillInput }
  /** `says`: a sentence for whoever put it, in EventBridge's words. */
  | { readonly kind: "invalid"; readonly says: string };

/**
 * Compiles what a target is to be told, once for many events. Filling is pure and loses nothing: what is cut out of the
 * event is as it was written there.
 * @see EventBridge, "Amazon EventBridge input transformation"; aws-ingest.md §9.4
 */
export function compileInput(input: TargetInput, targetId: string): InputCompiled {
  switch (input.kind) {
    case "event":
      return { kind: "input", fill: (view) => view.text };
    case "text":
      return isJson(input.text)
        ? { kind: "input", fill: () => input.text }
        : invalid(`JSON syntax error in input for target ${targetId}: its Input is not valid JSON.`);
    case "path":
      return compilePart(input.path, targetId);
    case "transformer":
      return compileTransformer(input, targetId);
    default:
      return unreachable(input);
  }
}

function invalid(says: string): InputCompiled {
  return { kind: "invalid", says };
}

function compilePart(text: string, targetId: string): InputCompiled {
  const path = readJsonPath(text);
  if (path === null) return invalid(`Invalid InputPath for target ${targetId}: ${text} is not a JSON path.`);
  if (path.length === 0) return { kind: "input", fill: (view) => view.text };
  const tree = weave([path]);
  return { kind: "input", fill: (view) => cut(view.text, tree, 1)[0] ?? "null" };
}

function compileTransformer(
  { paths, template }: Extract<TargetInput, { kind: "transformer" }>,
  targetId: string,
): InputCompiled {
  const names = Object.keys(paths);
  if (names.length > INPUT_PATHS_MAX) {
    return invalid(`InputPathsMap for target ${targetId} has more than ${INPUT_PATHS_MAX} entries.`);
  }
  const read: JsonPath[] = [];
  for (const [name, text] of Object.entries(paths)) {
    if (!PATH_NAME.test(name) || /^aws/i.test(name)) {
      return invalid(`InputPathsMap for target ${targetId} has an invalid name: ${name}.`);
    }
    const path = readJsonPath(text);
    if (path === null) return invalid(`InputPathsMap for target ${targetId}: ${text} is not a JSON path.`);
    read.push(path);
  }
  const parts = partsOf(template);
  for (const part of parts) {
    if (typeof part === "string" || names.includes(part.name) || Object.hasOwn(PREDEFINED, part.name)) continue;
    return invalid(`InputTemplate for target ${targetId} contains invalid placeholder ${part.name}.`);
  }
  return { kind: "input", fill: filler(parts, names, weave(read)) };
}

function filler(parts: readonly Part[], names: readonly string[], tree: PathTree): FillInput {
  const steps = parts.map((part) => {
    if (typeof part === "string") return part;
    const index = names.indexOf(part.name);
    // An own name is stronger than none; both are not possible, since own names do not begin with `aws`.
    const value = index === -1 ? PREDEFINED[part.name] : index;
    invariant(value !== undefined, "names are checked before");
    return { value, isQuoted: part.isQuoted };
  });
  return (view, context) => {
    const found = names.length === 0 ? [] : cut(view.text, tree, names.length);
    let text = "";
    for (const step of steps) {
      if (typeof step === "string") {
        text += step;
        continue;
      }
      const value = typeof step.value === "number" ? found[step.value] : step.value(view, context);
      text += step.isQuoted ? bare(value) : (value ?? '""');
    }
    return text;
  };
}

/** A text to be written as it is, or a placeholder and whether it stands within quotation marks. */
type Part = string | { readonly name: string; readonly isQuoted: boolean };

function partsOf(template: string): readonly Part[] {
  const parts: Part[] = [];
  let isQuoted = false;
  let from = 0;
  for (const token of template.matchAll(TOKEN)) {
    if (token[0] === '"') isQuoted = !isQuoted;
    const name = token[1];
    if (name === undefined) continue;
    parts.push(template.slice(from, token.index), { name, isQuoted });
    from = token.index + token[0].length;
  }
  parts.push(template.slice(from));
  return parts.filter((part) => part !== "");
}

/** What is escaped, a quotation mark, a placeholder. */
const TOKEN = /\\[^]|"|<([A-Za-z0-9_.-]+)>/g;
const PATH_NAME = /^[A-Za-z0-9_-]{1,256}$/;

/**
 * A JSON text as it stands within quotation marks: a string without its own, its escapes kept, and objects and arrays
 * without any.
 */
function bare(json: string | undefined): string {
  if (json === undefined) return "";
  return json.includes('"') ? json.replace(ESCAPE_OR_QUOTE, (token) => (token === '"' ? "" : token)) : json;
}

const ESCAPE_OR_QUOTE = /\\[^]|"/g;

/** Each gives JSON text. */
const PREDEFINED: Readonly<Record<string, (view: EventView, context: InputContext) => string>> = {
  "aws.events.rule-arn": (_, { ruleArn }) => JSON.stringify(ruleArn),
  "aws.events.rule-name": (_, { ruleName }) => JSON.stringify(ruleName),
  "aws.events.event.ingestion-time": (_, { ingestedMs }) => JSON.stringify(new Date(ingestedMs).toISOString()),
  "aws.events.event.json": (view) => view.text,
  "aws.events.event": (view) => view.textWithoutDetail,
};

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

import { isJsonObject, type Json } from "#domain/json.ts";
import type { Tested } from "#rules/desk.ts";
import { fault } from "#rules/fault.ts";
import { type Clause, type Compiled, compilePattern } from "#rules/pattern/compile.ts";
import { type EventLeaves, readEventText } from "#rules/pattern/event-leaves.ts";
import { matches } from "#rules/pattern/matches.ts";
import { Wanted } from "#rules/pattern/wanted.ts";

/** Whether a pattern matches an event, both as JSON text, and if not, which of its fields do not hold by themselves. */
export function testPattern(pattern: string, event: string): Tested {
  const compiled = compilePattern(pattern);
  if (compiled.kind === "invalid") return fault("pattern", `Event pattern is not valid. Reason: ${compiled.reason}`);
  const leaves = isWhole(event) ? readEventText(event, new Wanted(compiled.paths)) : null;
  if (leaves === null) return fault("invalid", "Parameter Event is not valid.");
  const isMatch = matches(compiled, leaves);
  return { kind: "done", matches: isMatch, why: isMatch ? null : whyNot(compiled, leaves) };
}

const MEMBERS = ["id", "account", "source", "time", "region", "detail-type"];

function isWhole(text: string): boolean {
  let event: Json;
  try {
    // JSON.parse gives what JSON can say and nothing else.
    event = JSON.parse(text) as Json;
  } catch {
    return false;
  }
  return isJsonObject(event) && MEMBERS.every((name) => event[name] !== undefined);
}

function whyNot(pattern: Compiled, leaves: EventLeaves): string {
  const alone = (clause: Clause): boolean => matches({ ...pattern, clause }, leaves);
  const failing = pattern.clause.fields.filter((field) => !alone({ fields: [field], choices: [] }));
  const says = failing.map(({ path }) => {
    const found = leaves.get(path);
    if (found === undefined) return `there is nothing at ${path}`;
    const values = found.slice(0, 3).map(({ value }) => JSON.stringify(value));
    return `${path} is ${values.join(", ")}${found.length > 3 ? ", …" : ""}`;
  });
  if (pattern.clause.choices.some((choice) => !alone({ fields: [], choices: [choice] }))) {
    says.push("no branch of $or holds");
  }
  return says.length > 0 ? says.join("; ") : "its fields hold only in different elements of an array";
}

import type { Undone, RuleFault, RuleFaultCode } from "#rules/desk.ts";
import { type Changed, change, type Decision, NO_ORIGIN } from "#engine/change.ts";
import type { Engine } from "#engine/engine.ts";
import type { By, Done } from "#rules/desk.ts";

export function fault(code: RuleFaultCode, message: string): RuleFault {
  return { kind: "fault", code, message };
}

/** The change could not be decided so: nothing is committed. */
export function denied(code: RuleFaultCode, message: string): Decision<Refusal> {
  return { kind: "elsewhere", value: new Refusal(fault(code, message)) };
}

/** A fault on its way through `change`, told from values by its class. */
export class Refusal {
  readonly fault: RuleFault;

  constructor(refused: RuleFault) {
    this.fault = refused;
  }
}

/** `change` for those whose refusals are `RuleFault`s. */
export async function changeOr<Value>(
  engine: Engine,
  by: By | undefined,
  decide: () => Promise<Decision<Value | Refusal>>,
): Promise<Done<Value>> {
  return doneOf(await change(engine, decide, by?.origin ?? NO_ORIGIN));
}

function doneOf<Value>(changed: Changed<Value | Refusal>): Done<Value> {
  if (changed.kind === "refused") return fault("changed", changed.problem.message);
  if (changed.kind !== "done") return changed satisfies Undone;
  const { value } = changed;
  return value instanceof Refusal ? value.fault : { kind: "done", value };
}

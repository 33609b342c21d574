import { isTreeList, Refusal, type Tree } from "./pattern-tree.ts";

/** Numbers from `low` to `high`, both among them. */
export type Range = { readonly kind: "range"; readonly low: number; readonly high: number };

/**
 * Reads the argument of `numeric`: a range, or the one number of `=`.
 * @throws {Refusal}
 */
export function readRange(argument: Tree): Range | number {
  if (!isTreeList(argument)) throw new Refusal("Value of numeric must be an array.");
  if (argument.length === 0) throw new Refusal("Empty arrays are not allowed");
  const first = operatorAt(argument, 0);
  const bound = boundAt(argument, 1, first);
  if (first === "=" || first === "<" || first === "<=") {
    expectEnd(argument, 2);
    if (first === "=") return bound;
    return range(Number.NEGATIVE_INFINITY, first === "<=" ? bound : below(bound));
  }
  const low = first === ">=" ? bound : above(bound);
  if (argument.length === 2) return range(low, Number.POSITIVE_INFINITY);
  const second = operatorAt(argument, 2);
  if (second !== "<" && second !== "<=") throw new Refusal(`Bad numeric range operator: ${second}`);
  const top = boundAt(argument, 3, second);
  expectEnd(argument, 4);
  if (bound >= top) throw new Refusal("Bottom must be less than top");
  return range(low, second === "<=" ? top : below(top));
}

function range(low: number, high: number): Range {
  return { kind: "range", low, high };
}

const OPERATORS = ["=", "<", "<=", ">", ">="];

function operatorAt(list: readonly Tree[], at: number): string {
  const operator = list[at];
  if (typeof operator === "string" && OPERATORS.includes(operator)) return operator;
  const said = typeof operator === "string" || typeof operator === "number" ? String(operator) : typeof operator;
  throw new Refusal(`Unrecognized numeric range operator: ${said}`);
}

/** Only what a double holds: for others "less" and "more" could not be told. */
function boundAt(list: readonly Tree[], at: number, operator: string): number {
  const bound = list[at];
  if (typeof bound !== "number") throw new Refusal(`Value of ${operator} must be numeric`);
  return bound;
}

function expectEnd(list: readonly Tree[], length: number): void {
  if (list.length > length) throw new Refusal("Too many elements in numeric expression");
}

const NEIGHBOUR = new DataView(new ArrayBuffer(8));

/** The next double above; infinity above the largest. */
function above(number: number): number {
  if (number === 0) return Number.MIN_VALUE;
  NEIGHBOUR.setFloat64(0, number);
  NEIGHBOUR.setBigInt64(0, NEIGHBOUR.getBigInt64(0) + (number > 0 ? 1n : -1n));
  return NEIGHBOUR.getFloat64(0);
}

function below(number: number): number {
  return -above(-number);
}

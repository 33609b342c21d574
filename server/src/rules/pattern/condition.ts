import { unreachable } from "#domain/invariant.ts";
import { addressBits } from "./address.ts";
import { foldCase, LongNumber, type Plain, type Scalar } from "./scalar.ts";
import { fits, type Wildcard } from "./wildcard.ts";

/** What a list of conditions asks of one value: to be one of some, or to fulfil one of the other conditions. */
export type Test = {
  readonly values: readonly Plain[];
  /** The same when there are many; null when looking along the list is faster. */
  readonly valueSet: ReadonlySet<Plain> | null;
  /** Digits of numbers that no double holds. */
  readonly longs: readonly string[];
  /** Bits of IP addresses that were asked for by one of their spellings. */
  readonly addresses: readonly string[];
  readonly others: readonly Condition[];
};

export type Condition =
  /** With `ignoresCase`, `text` is folded. */
  | { readonly kind: "prefix" | "suffix"; readonly text: string; readonly ignoresCase: boolean }
  /** `text` is folded. */
  | { readonly kind: "ignoring case"; readonly text: string }
  | { readonly kind: "wildcard"; readonly wildcard: Wildcard }
  /** Both ends belong to it; what was open ends at the neighbouring double. */
  | { readonly kind: "range"; readonly low: number; readonly high: number }
  /** An address whose bits begin with these. */
  | { readonly kind: "block"; readonly bits: string }
  | { readonly kind: "present" }
  | { readonly kind: "not"; readonly test: Test };

/** Whether a value that is there fulfils one of the conditions. */
export function holds(test: Test, value: Scalar): boolean {
  if (value instanceof LongNumber) {
    if (test.longs.includes(value.digits)) return true;
  } else {
    if (test.valueSet === null ? test.values.includes(value) : test.valueSet.has(value)) return true;
    if (test.addresses.length > 0 && typeof value === "string") {
      const bits = addressBits(value);
      if (bits !== null && test.addresses.includes(bits)) return true;
    }
  }
  for (const condition of test.others) if (fulfils(condition, value)) return true;
  return false;
}

function fulfils(condition: Condition, value: Scalar): boolean {
  switch (condition.kind) {
    case "prefix":
      return typeof value === "string" && cased(value, condition.ignoresCase).startsWith(condition.text);
    case "suffix":
      return typeof value === "string" && cased(value, condition.ignoresCase).endsWith(condition.text);
    case "ignoring case":
      return typeof value === "string" && foldCase(value) === condition.text;
    case "wildcard":
      return typeof value === "string" && fits(condition.wildcard, value);
    case "range":
      return typeof value === "number" && value >= condition.low && value <= condition.high;
    case "block":
      return typeof value === "string" && (addressBits(value)?.startsWith(condition.bits) ?? false);
    case "present":
      return true;
    case "not":
      return !holds(condition.test, value);
    default:
      return unreachable(condition);
  }
}

function cased(text: string, ignoresCase: boolean): string {
  return ignoresCase ? foldCase(text) : text;
}

import { type Packed, packUnits, unpackUnits } from "#drivers/sqlite/packing.ts";
import { OperatorFault, type OperatorFaultCode } from "#domain/faults.ts";
import { StoreFault, type Unit } from "#ports/store.ts";

/**
 * Between the threads go flat arrays, which are cheap to clone, holding arguments and answers as JSON text, which V8
 * reads and writes faster than it clones nested objects. Units, which are most of it, are flat themselves. What is
 * asked within one turn of the event loop goes together.
 */

/** Five entries per call: its number, the name of the method, the wall and the monotonic clock, the arguments. */
export type AskedMessage = (number | string | Packed)[];
export const ASKED_STRIDE = 5;
/** The name of the last call. */
export const CLOSE = "close";

/** Three entries per answer: the number of the call, what it is, and JSON text: the value, or a `ThrownText`. */
export type AnsweredMessage = (number | string)[];
export const ANSWERED_STRIDE = 3;
export const [VALUE, THROWN] = [0, 1];

/** Takes units and nothing else. */
const COMMIT = "commit";

export function writeArgs(name: string, args: readonly unknown[]): string | Packed {
  // `Ask` has checked what `commit` is called with.
  return name === COMMIT ? packUnits(args[0] as readonly Unit[]) : JSON.stringify(args);
}

/** @param written by `writeArgs` */
export function readArgs(written: AskedMessage[number] | undefined): readonly unknown[] {
  return Array.isArray(written) ? [unpackUnits(written)] : (JSON.parse(String(written)) as readonly unknown[]);
}

type Thrown = {
  readonly kind: "store" | "operator" | "bug";
  readonly code: string;
  readonly message: string;
  readonly stack: string;
};

export function writeThrown(error: unknown): string {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const kind = thrown instanceof StoreFault ? "store" : thrown instanceof OperatorFault ? "operator" : "bug";
  const code = thrown instanceof StoreFault || thrown instanceof OperatorFault ? thrown.code : "";
  const cause = thrown.cause instanceof Error ? `\ncaused by ${thrown.cause.stack}` : "";
  const written: Thrown = { kind, code, message: thrown.message, stack: `${thrown.stack}${cause}` };
  return JSON.stringify(written);
}

/** The same error again, as the other thread threw it. */
export function readThrown(text: string): Error {
  // `writeThrown` wrote it, in the same program.
  const { kind, code, message, stack } = JSON.parse(text) as Thrown;
  const detail = code === "" ? message : message.replace(` [${code}]`, "");
  const error =
    kind === "store"
      ? new StoreFault(code as StoreFault["code"], detail)
      : kind === "operator"
        ? new OperatorFault(code as OperatorFaultCode, detail)
        : new Error(message);
  error.stack = stack;
  return error;
}

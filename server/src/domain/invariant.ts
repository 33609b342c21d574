/** For what must hold if our own code is right. Stays on in production; a failure is a bug, not bad luck. */
export function invariant(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${claim}`);
}

/** The end of an exhaustive switch: a new case turns the call red. */
export function unreachable(value: never): never {
  throw new Error(`broken invariant: no case for ${JSON.stringify(value)}`);
}

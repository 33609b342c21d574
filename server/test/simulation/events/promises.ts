/** Counts what was looked at, and writes down what was not as promised. */
export class Promises {
  readonly violations: string[] = [];
  checks = 0;

  /** @param otherwise what is wrong if not; a function where there are so many checks that words would cost. */
  readonly holds = (isKept: boolean, otherwise: string | (() => string)): void => {
    this.checks += 1;
    if (!isKept) this.violations.push(typeof otherwise === "string" ? otherwise : otherwise());
  };
}

/*
 * Loaded before the program (`--import`): its machine's wall clock is off by TIDINGS_TEST_CLOCK_AHEAD_MS. What is
 * monotonic goes on as it does.
 */

const aheadMs = Number(process.env["TIDINGS_TEST_CLOCK_AHEAD_MS"] ?? 0);
const RealDate = Date;

class WrongDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    // Whatever a Date is made of; without anything it is now.
    super(...((given.length === 0 ? [RealDate.now() + aheadMs] : given) as [number]));
  }

  static override now(): number {
    return RealDate.now() + aheadMs;
  }
}

Object.assign(globalThis, { Date: WrongDate });
Object.defineProperty(performance, "timeOrigin", { value: performance.timeOrigin + aheadMs });

// For whoever wants to be sure.
process.stderr.write(`this machine's clock says ${new Date().toISOString()}\n`);

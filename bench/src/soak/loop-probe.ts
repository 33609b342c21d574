import { appendFileSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/**
 * Loaded into the program with `--import`: writes a line of `LoopLook` to `TIDINGS_SOAK_PROBE` every few seconds.
 * It costs a native timer every 5 ms.
 */
export type LoopLook = {
  /** Of the main thread's event loop since the last line: how much later than asked a timer ran, in ms. */
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Share of the time in which the main thread was busy. */
  readonly utilization: number;
  readonly heapMib: number;
  /** Buffers and what else lies outside the heap. */
  readonly externalMib: number;
};

const RESOLUTION_MS = 5;
// oxlint-disable-next-line node/no-process-env -- how the one who starts the program reaches this file
const { TIDINGS_SOAK_PROBE: file, TIDINGS_SOAK_PROBE_MS: everyMs } = process.env;
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before = performance.eventLoopUtilization();
  const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  setInterval(
    () => {
      const now = performance.eventLoopUtilization();
      const { heapUsed, external } = process.memoryUsage();
      const look: LoopLook = {
        delayMs: { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) },
        utilization: performance.eventLoopUtilization(now, before).utilization,
        heapMib: heapUsed / 2 ** 20,
        externalMib: external / 2 ** 20,
      };
      before = now;
      delay.reset();
      appendFileSync(file, `${JSON.stringify(look)}\n`);
    },
    Number(everyMs ?? 5_000),
  ).unref();
}

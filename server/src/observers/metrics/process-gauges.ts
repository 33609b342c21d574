import type { Meter } from "#ports/meter.ts";

/** What the process takes of the machine, handed in because observers do not reach it. */
export type ProcessLook = () => { readonly rssBytes: number; readonly heapBytes: number; readonly cpuSeconds: number };

/** Shows memory and processor time under the names that every Prometheus dashboard knows. */
export function gaugeProcess(meter: Meter, look: ProcessLook): void {
  meter.gauge("process_resident_memory_bytes", "Memory that the process occupies.", () => [
    { labels: {}, value: look().rssBytes },
  ]);
  meter.gauge("process_heap_bytes", "Memory that JavaScript's heap uses.", () => [
    { labels: {}, value: look().heapBytes },
  ]);
  meter.gauge("process_cpu_seconds", "Processor time since the start, user and system.", () => [
    { labels: {}, value: look().cpuSeconds },
  ]);
}

/** Numbers of one millisecond; together they stay exact in a plain number until the year 2039. */
const PER_MS = 4096;

/**
 * Numbers messages: rising with time and in the order of the calls, unique in this process. It is the order in which
 * messages are given out, and the sequence number of FIFO queues.
 */
export class Sequence {
  #last = 0;

  next(nowMs: number): number {
    this.#last = Math.max(this.#last + 1, firstSequenceOf(nowMs));
    return this.#last;
  }
}

/** No message of this millisecond or later has a lower number, and none of an earlier one a higher, by the same clock. */
export function firstSequenceOf(nowMs: number): number {
  return Math.floor(nowMs) * PER_MS;
}

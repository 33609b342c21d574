/** What the program's end means to whoever called it. Printed in `tidings --help`. */
export const EXIT = {
  ok: 0,
  /** The thing asked for is not so, or did not work. */
  no: 1,
  /** The command line or a setting is wrong. */
  usage: 2,
  unreachable: 3,
  /** The server answered and said no: wrong key, invalid request. */
  refused: 4,
  /** 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** The command line is wrong; the sentence says what is right. */
export class UsageFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "UsageFault";
  }
}

/** The server answered and said no. */
export class Refusal extends Error {
  readonly status: number;
  /** A code of `FAULTS` (docs/faults.md), if the server told one. */
  readonly code: string | null;
  /** What to do about it; null if the server did not say. */
  readonly hint: string | null;
  readonly retryAfterMs: number | null;

  constructor(status: number, sentence: string, more: Partial<Pick<Refusal, "code" | "hint" | "retryAfterMs">> = {}) {
    super(sentence);
    this.name = "Refusal";
    this.status = status;
    this.code = more.code ?? null;
    this.hint = more.hint ?? null;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

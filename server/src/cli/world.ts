import type { Clock } from "#ports/clock.ts";

/** All that a command touches besides files and sockets, handed in so that a test can look at it. */
export type World = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Answers: what a pipe should carry. */
  readonly out: Screen;
  /** Progress, complaints and hints. */
  readonly err: Screen;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTty: boolean };
  readonly clock: Clock;
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Asks yes or no; null when nobody is there to answer. */
  readonly confirm: (question: string) => Promise<boolean | null>;
};

export type Screen = {
  readonly write: (text: string) => void;
  /** Width of the terminal; `Infinity` for files and pipes, where nothing may be cut. */
  readonly columns: number;
  readonly isTty: boolean;
  readonly colours: boolean;
};

export function say(screen: Screen, line = ""): void {
  screen.write(`${line}\n`);
}

/** One JSON document on a line of its own: many of them are JSON Lines. */
export function sayJson(world: World, value: unknown): void {
  world.out.write(`${JSON.stringify(value)}\n`);
}

/** Waits; true when the time has passed, false when the user interrupted. */
export function pause(world: World, ms: number): Promise<boolean> {
  if (world.signal.aborted) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const stop = (): void => {
    timer.cancel();
    resolve(false);
  };
  const timer = world.clock.after(ms, () => {
    world.signal.removeEventListener("abort", stop);
    resolve(true);
  });
  world.signal.addEventListener("abort", stop, { once: true });
  return promise;
}

import { EXIT } from "#cli/exit.ts";
import type { Screen, World } from "#cli/world.ts";
import { systemClock } from "#drivers/system/clock.ts";

/** The real world: this process, its terminal and its signals. Called once. */
export function openWorld(): World {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      // Who asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(EXIT.interrupted);
      stop.abort(new DOMException(name, "AbortError"));
    });
  }
  return {
    env: process.env,
    cwd: process.cwd(),
    out: screenOf(process.stdout),
    err: screenOf(process.stderr),
    stdin: Object.assign(inputOf(), { isTty: process.stdin.isTTY }),
    clock: systemClock(),
    signal: stop.signal,
    confirm: async (question) => {
      if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
      const { confirm, isCancel } = await import("@clack/prompts");
      const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
      return isCancel(answer) ? false : answer;
    },
  };
}

function screenOf(stream: NodeJS.WriteStream): Screen {
  // Whoever reads us may stop early (`| head`): that is no failure.
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.no));
  const isTty = stream.isTTY === true;
  const { NO_COLOR = "", TERM = "" } = process.env;
  return {
    write: (text) => void stream.write(text),
    get columns() {
      return isTty ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY;
    },
    isTty,
    colours: isTty && NO_COLOR === "" && TERM !== "dumb",
  };
}

/** Touches standard input only when somebody reads it: opening it would keep the process alive. */
function inputOf(): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() };
}

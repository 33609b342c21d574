import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "#domain/invariant.ts";
import {
  type AskedMessage,
  CLOSE,
  ASKED_STRIDE,
  type AnsweredMessage,
  readArgs,
  THROWN,
  VALUE,
  writeThrown,
} from "#drivers/sqlite/protocol.ts";
import { Database, LostLog } from "#drivers/sqlite/database.ts";
import { ReadCore } from "#drivers/sqlite/read-core.ts";
import { WriteCore } from "#drivers/sqlite/write-core.ts";

/** The thread in which one core lives. `worker-link.ts` is the other end. */
export type CoreData = { readonly side: "write" | "read"; readonly path: string };

const port = parentPort;
invariant(port !== null, "this file is the beginning of a worker");
// `worker-link.ts` is the only one who starts this file.
const { side, path } = workerData as CoreData;
const db = new Database(path, side);
const core = side === "write" ? new WriteCore(db) : new ReadCore(db);
// The names come from `Ask`, which knows the core's methods.
const methods = core as unknown as Readonly<Record<string, (now: unknown, ...args: unknown[]) => unknown>>;

port.on("message", (asked: AskedMessage) => {
  const answered: AnsweredMessage = [];
  for (let at = 0; at < asked.length; at += ASKED_STRIDE) {
    const [call, name, wallMs, monotonicMs, args] = asked.slice(at, at + ASKED_STRIDE);
    try {
      const value =
        name === CLOSE ? core[Symbol.dispose]() : ask(String(name), { wallMs, monotonicMs }, readArgs(args));
      answered.push(Number(call), VALUE, JSON.stringify(value ?? null));
    } catch (error) {
      // Ends the thread and with it the process (`WorkerLink`).
      if (error instanceof LostLog) throw error;
      answered.push(Number(call), THROWN, writeThrown(error));
    }
  }
  port.postMessage(answered);
});

function ask(name: string, now: unknown, args: readonly unknown[]): unknown {
  const method = methods[name];
  invariant(method !== undefined, `${name} is a method of the core`);
  return method.call(core, now, ...args);
}

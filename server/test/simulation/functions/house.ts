import {
  collection,
  type Context,
  type DefinedFunction,
  defineFunction,
  event,
  queue,
  schedule,
  stream,
} from "tidings";
import type { Machine } from "../machine.ts";

export const WORK = "work";
export const WORK_DEAD = "work-dead";
export const NEXT = "next";
export const LINE = "line.fifo";
export const GROUPS = 3;
/** After so many receives a message of `work` is a dead letter; processes that die with it count as well. */
export const RECEIVE_MAX = 6;
const SLOW_CHANCE = 0.3;
const SLOW_MS_MAX = 4_000;
const TIMEOUT_MS = 60_000;

/** How often each thing has had its effect, by its name; each is a document that nobody but its handler writes. */
export const MARKS = collection<{ readonly times: number }>("sim-marks");
export const ORDER = collection<{ readonly numbers: readonly number[] }>("sim-order");

export type Message = { readonly n: number };

/** A number that must fail each time. */
export function isPoison(n: number): boolean {
  return n % 13 === 7;
}

/** Who is written to when a message was worked. */
export function addressOf(n: number): string {
  return `p${n}@example.com`;
}

/** What is declared, which a reload changes. */
export type Sizes = { readonly batchSize: number; readonly concurrency: number };

/** The functions of the simulation: what each of them does is written down in documents, with versions. */
export function simulated(
  machine: Machine,
  { batchSize, concurrency }: Sizes,
): Readonly<Record<string, DefinedFunction>> {
  const options = { concurrency, timeoutMs: TIMEOUT_MS, attempts: 8 };
  const dawdle = (): Promise<void> => machine.dawdle("functions.slow", SLOW_CHANCE, SLOW_MS_MAX);
  /** Fails now and then, after it has emitted something that nobody may see. */
  const mayFail = (chance: number, { events, queues, send }: Context): void => {
    if (!machine.happens(chance)) return;
    events.raise({ type: "never" });
    queues.send(NEXT, { n: -1 });
    send({ to: { email: addressOf(-1) }, content: { title: "Never", body: "" } });
    machine.counts.add("functions.threw");
    throw new Error("bad luck");
  };
  return {
    work: defineFunction({
      on: queue<Message>(WORK, { batchSize }),
      ...options,
      async handler(batch, context) {
        await dawdle();
        const failed: string[] = [];
        let good = 0;
        for (const { id, body } of batch) {
          if (isPoison(body.n)) {
            if (batch.length > 1 && body.n % 2 === 0) throw new Error("poison");
            failed.push(id);
            continue;
          }
          if (machine.happens(0.05)) {
            failed.push(id);
            continue;
          }
          good += 1;
          await mark(context, `work/${body.n}`);
          context.events.raise({ type: "worked", subject: String(body.n), data: body });
          context.queues.send(NEXT, body);
          context.queues.send(LINE, body, { groupId: String(body.n % GROUPS) });
        }
        mayFail(0.08, context);
        await mark(context, "work", good);
        machine.counts.add("functions.worked", good);
        if (failed.length > 0 && good > 0) machine.counts.add("functions.partlyFailed");
        return { failed };
      },
    }) as DefinedFunction,
    listen: defineFunction({
      on: event<Message>({ "detail-type": ["worked"] }),
      ...options,
      async handler({ data }, context) {
        await dawdle();
        await mark(context, `heard/${data.n}`);
        await mark(context, "heard");
        context.send({ to: { email: addressOf(data.n) }, content: { title: "Worked", body: String(data.n) } });
        mayFail(0.05, context);
        context.events.raise({ type: "heard", data });
        machine.counts.add("functions.heard");
      },
    }) as DefinedFunction,
    read: defineFunction({
      on: stream<Message>({ startFrom: "earliest", batchSize, filter: { "detail-type": ["worked"] } }),
      ...options,
      async handler(events, context) {
        await dawdle();
        for (const { data } of events) await mark(context, `read/${data.n}`);
        await mark(context, "read", events.length);
        mayFail(0.05, context);
        machine.counts.add("functions.streamed");
      },
    }) as DefinedFunction,
    line: defineFunction({
      on: queue<Message>(LINE, { batchSize }),
      ...options,
      async handler(batch, context) {
        await dawdle();
        for (const { body, groupId } of batch) {
          const known = await context.documents.get(ORDER, groupId ?? "");
          const numbers = [...(known?.value.numbers ?? []), body.n];
          context.documents.put(ORDER, groupId ?? "", { numbers }, { version: known?.version ?? 0 });
        }
        mayFail(0.05, context);
        machine.counts.add("functions.inLine");
      },
    }) as DefinedFunction,
    tick: defineFunction({
      on: schedule("rate(1 minute)"),
      ...options,
      async handler({ scheduled }, context) {
        await dawdle();
        await mark(context, `tick/${scheduled}`);
        mayFail(0.1, context);
        context.events.raise({ type: "ticked", subject: scheduled });
        machine.counts.add("functions.ticked");
      },
    }) as DefinedFunction,
  };
}

async function mark({ documents }: Context, name: string, by = 1): Promise<void> {
  if (by === 0) return;
  const known = await documents.get(MARKS, name);
  documents.put(MARKS, name, { times: (known?.value.times ?? 0) + by }, { version: known?.version ?? 0 });
}

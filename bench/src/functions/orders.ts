import { defineFunction, queue } from "tidings";
import { Orders, type Order, type OrdersPlan } from "./handler.ts";

/** Where `doors/doors.ts` puts the messages of its batches. */
export const QUEUE = "b-batch";

let orders: Orders | null = null;

/** What a file of the measured folder exports: the handler that the others have, as a function of a queue. */
export const ordersFunction = ({
  batchSize,
  concurrency,
}: {
  readonly batchSize: number;
  readonly concurrency: number;
}) =>
  defineFunction({
    on: queue<Order>(QUEUE, { batchSize }),
    concurrency,
    handler(batch, { settings }) {
      // `projects.ts` has written it.
      orders ??= new Orders(settings["plan"] as OrdersPlan);
      orders.take(batch.map(({ body }) => body));
    },
  });

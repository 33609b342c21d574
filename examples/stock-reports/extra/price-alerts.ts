import { defineFunction, queue } from "tidings";
import { followers } from "../lib/followers.ts";

/** What the ticker service says when a price has moved a lot. */
type Move = { readonly ticker: string; readonly price: number; readonly percent: number };

const PRICE_ALERTS = "price-alerts";

export default defineFunction({
  on: queue<Move>(PRICE_ALERTS),
  async handler(batch, { lists, send }) {
    for (const { body } of batch) {
      const to = await followers(lists, PRICE_ALERTS, body.ticker);
      if (to.length === 0) continue;
      send({
        to,
        content: { title: "{ticker} moved by {percent} %", body: "Hi {name}, {ticker} trades at {price}." },
        data: body,
      });
    }
  },
});

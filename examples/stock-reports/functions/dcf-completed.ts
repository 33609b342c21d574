import { defineFunction, queue } from "tidings";
import { followers } from "../lib/followers.ts";

/** What the DCF engine says when it has valued a company. */
type Dcf = { readonly ticker: string; readonly fairValue: number; readonly price: number };

/** The queue, and the list whose people are told. */
const DCF_COMPLETED = "dcf-completed";

export default defineFunction({
  on: queue<Dcf>(DCF_COMPLETED),
  async handler(batch, { lists, send }) {
    for (const { body } of batch) {
      const to = await followers(lists, DCF_COMPLETED, body.ticker);
      if (to.length === 0) continue;
      send({
        to,
        content: {
          title: "{ticker} is worth {fairValue}",
          body: "Hi {name}, our engine has valued {ticker}: {fairValue} a share. It trades at {price}.",
        },
        data: body,
      });
    }
  },
});

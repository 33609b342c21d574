import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type LogLine, SearchIndex } from "./index.ts";

export type SearchService = AsyncDisposable & { readonly url: string };

/**
 * The search index as a service of its own, such as Elasticsearch would be: POST /bulk, GET /search?q=…, GET /count.
 * @param latencyMs what every write takes longer, as it does when the index is in another data centre.
 */
export async function openSearch(path: string, port: number, latencyMs: number): Promise<SearchService> {
  const index = new SearchIndex(path);
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://localhost");
      let answer: unknown;
      if (request.method === "POST" && url.pathname === "/bulk") {
        const lines = (await read(request)) as readonly LogLine[];
        await wait(latencyMs);
        index.add(lines);
        answer = { added: lines.length };
      } else if (url.pathname === "/count") answer = { count: index.count() };
      else answer = index.find(url.searchParams.get("q") ?? "", 100);
      response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    })().catch((error: unknown) => response.writeHead(400).end(String(error)));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has such an address.
  const { port: got } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${got}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      index[Symbol.dispose]();
    },
  };
}

async function read(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  return JSON.parse(text);
}

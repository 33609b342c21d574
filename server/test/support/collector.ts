import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { isJsonObject, type Json } from "#domain/json.ts";
import { until } from "./until.ts";

/** A span as a collector is told of it, as far as tests look. */
export type Seen = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  /** Of the spans that it points at. */
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string>>;
};

/** A collector that understands OTLP over HTTP in JSON. */
export class Collector implements AsyncDisposable {
  readonly spans: Seen[] = [];
  /** Paths that were posted to, each with the header `x-key`. */
  readonly paths = new Set<string>();
  readonly url: string;
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    const { port } = server.address() as AddressInfo; // it listens on TCP
    this.url = `http://127.0.0.1:${port}`;
    server.on("request", (request, response) => {
      this.paths.add(`${request.url} ${String(request.headers["x-key"])}`);
      void json(request).then((body) => {
        this.spans.push(...spansOf(body as Json)); // it is JSON
        response.setHeader("content-type", "application/json").end("{}");
      });
    });
  }

  static async open(): Promise<Collector> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Collector(server);
  }

  /** The first span of this name, and that points at another one if that is given; waits until it has come. */
  async named(name: string, from: Seen | null = null): Promise<Seen> {
    const isIt = (span: Seen): boolean => span.name === name && (from === null || span.links.includes(from.spanId));
    return await until(`the span ${name} has come`, () => this.spans.find(isIt));
  }

  /**
   * Names of all spans that somebody finds who begins at a span and follows parents and links backwards: to its parts, to
   * what points at them, and so on.
   */
  reachedFrom(spanId: string): ReadonlySet<string> {
    const reached = new Set([spanId]);
    const names = new Set<string>();
    for (let before = 0; before < reached.size; ) {
      before = reached.size;
      for (const span of this.spans) {
        if (![span.parentSpanId, ...span.links].some((from) => reached.has(from))) continue;
        reached.add(span.spanId);
        names.add(span.name);
      }
    }
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Every span in an export, wherever it lies. */
function spansOf(value: Json): readonly Seen[] {
  if (Array.isArray(value)) return value.flatMap(spansOf);
  if (!isJsonObject(value)) return [];
  if (typeof value["spanId"] !== "string" || typeof value["name"] !== "string")
    return Object.values(value).flatMap(spansOf);
  const { name, spanId, traceId, parentSpanId, links, status, attributes } = value;
  return [
    {
      name,
      spanId,
      traceId: String(traceId),
      parentSpanId: String(parentSpanId ?? ""),
      links: objectsIn(links).map((link) => String(link["spanId"])),
      failed: isJsonObject(status) && status["code"] === 2,
      attributes: Object.fromEntries(
        objectsIn(attributes).map(({ key, value: one }) => [
          String(key),
          isJsonObject(one) ? String(Object.values(one)[0]) : "",
        ]),
      ),
    },
  ];
}

function objectsIn(value: Json | undefined) {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

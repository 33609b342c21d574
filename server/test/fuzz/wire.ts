import { Pool } from "undici";
import type { Plan } from "./calls.ts";
import type { Heard } from "./judge.ts";
import type { Knowledge } from "./knowledge.ts";

/** No answer within this is a hang: the slowest thing that a call may ask for takes well below a second when alone. */
export const ANSWER_MS_MAX = 20_000;

/** A call as it goes out. */
export type Call = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
};

/** Fills in what a plan only names. */
export function callOf(plan: Plan, knowledge: Knowledge, key: string): Call {
  const { operation, auth, headers } = plan;
  const segments = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const { text, raw } = plan.path[name] ?? { text: "x", raw: true };
    // An empty segment is another path.
    return raw ? text : encodeURIComponent(knowledge.resolve(text, operation.path).toWellFormed()) || "x";
  });
  const query = plan.query.map(([name, value]) => [name, knowledge.resolve(value, operation.path).toWellFormed()]);
  const mark = query.length === 0 ? "" : `?${new URLSearchParams(query).toString()}`;
  const shown = authorization(auth, key, knowledge);
  return {
    method: plan.method,
    path: `${segments}${mark}`,
    headers: { ...headers, ...(shown === null ? {} : { authorization: shown }) },
    body: typeof plan.body === "string" ? knowledge.resolve(plan.body, operation.path) : plan.body,
  };
}

function authorization(auth: Plan["auth"], key: string, { keys }: Knowledge): string | null {
  switch (auth) {
    case "good":
      return `Bearer ${key}`;
    case "basic":
      return `Basic ${btoa(`someone@example.com:${key}`)}`;
    case "none":
      return null;
    case "wrong":
      return `Bearer ${key}x`;
    case "empty":
      return "Bearer ";
    case "scheme":
      return `Digest ${key}`;
    case "made":
      return `Bearer ${keys[0] ?? "none"}`;
  }
}

/** Connections that are kept open, one call at a time on each. */
export class Line implements AsyncDisposable {
  readonly #pool: Pool;

  constructor(url: string, connections: number) {
    const ms = ANSWER_MS_MAX;
    this.#pool = new Pool(url, { connections, pipelining: 1, headersTimeout: ms, bodyTimeout: ms });
  }

  /** @throws when no answer comes in time, or the connection breaks. */
  async say({ method, path, headers, body }: Call): Promise<Heard> {
    const answer = await this.#pool.request({ method, path, headers, body });
    const said = answer.headers["content-type"];
    const type = (typeof said === "string" ? said : "").split(";")[0] ?? "";
    const { "retry-after": retryAfter } = answer.headers;
    const heard = {
      status: answer.statusCode,
      type,
      retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
    };
    if (type === "text/event-stream" && method !== "HEAD") {
      answer.body.on("error", () => {}).destroy();
      return { ...heard, body: "", endless: true };
    }
    return { ...heard, body: await answer.body.text(), endless: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }
}

/** A line for a shell that makes the same call. */
export function curlOf(url: string, { method, path, headers, body }: Call): string {
  const parts = [
    "curl",
    "-i",
    "--path-as-is",
    ...(method === "HEAD" ? ["-I"] : ["-X", method]),
    quoted(`${url}${path}`),
  ];
  for (const [name, value] of Object.entries(headers)) parts.push("-H", quoted(`${name}: ${value}`));
  if (typeof body === "string") parts.push("--data-binary", quoted(body));
  else if (body !== null) parts.push("--data-binary", `@<(echo ${Buffer.from(body).toString("base64")} | base64 -d)`);
  return parts.join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

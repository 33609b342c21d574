import { isJsonObject, type Json } from "#domain/json.ts";
import type { Operation } from "./operations.ts";
import type { KnownKind } from "./values.ts";

/** Things of a kind that are remembered; the newest take the places of the oldest. */
const REMEMBERED_MAX = 200;

/** Stands for what is not known yet. */
const NOBODY: Readonly<Record<KnownKind, string>> = {
  message: "1-65f240a0-47a6a120c8374de9bcf9f22a",
  request: "1-65f240a0-47a6a120c8374de9bcf9f22a",
  caught: "000000000000000-nobody-email",
  cursor: Buffer.from("1:a").toString("base64url"),
  deadLetter: "expand:nobody",
  key: "nobody-00000",
  upload: "upload-00000000000000000000000000000000",
  token: "bm9ib2R5",
};

/** What the server has named so far, so that later calls can ask about things that exist. */
export class Knowledge {
  readonly #kept = new Map<string, string[]>();
  readonly #counts = new Map<string, number>();
  /** API keys that calls have made, with whatever they may do. */
  readonly keys: string[] = [];

  /** Fills in `@@kind:number@@`; a cursor is one that the same path gave. */
  resolve(text: string, path: string): string {
    return text.replaceAll(/@@(\w+):(\d+)@@/g, (_, name: string, at: string) => {
      const kind = name as KnownKind; // only values.ts writes these marks
      const kept = this.#kept.get(kind === "cursor" ? `cursor ${path}` : kind) ?? [];
      return kept[Number(at) % Math.max(1, kept.length)] ?? NOBODY[kind];
    });
  }

  /** Takes note of what a good answer names. Keys that the program was started with are never noted: calls revoke. */
  learn({ name: operation, path }: Pick<Operation, "name" | "path">, body: string): void {
    for (const [, token] of body.matchAll(/\/u\/([\w.~-]{20,})/g)) this.#keep("token", token);
    const answer = parsed(body);
    if (!isJsonObject(answer)) return;
    const { requestId, messageId, paging, results, id, key } = answer;
    this.#keep("request", requestId);
    this.#keep("message", messageId);
    if (isJsonObject(paging)) this.#keep(`cursor ${path}`, paging["cursor"]);
    if (operation === "POST /attachments") this.#keep("upload", id);
    if (operation === "POST /admin/keys") {
      this.#keep("key", id);
      if (typeof key === "string" && this.keys.unshift(key) > REMEMBERED_MAX) this.keys.pop();
    }
    for (const one of Array.isArray(results) ? (results as readonly Json[]) : []) {
      if (!isJsonObject(one)) continue;
      if (operation === "GET /messages") this.#keep("message", one["id"]);
      if (operation === "GET /mailbox") this.#keep("caught", one["id"]);
      if (operation === "GET /admin/dead-letters") this.#keep("deadLetter", one["key"]);
    }
  }

  #keep(kind: KnownKind | `cursor ${string}`, value: Json | undefined): void {
    if (typeof value !== "string") return;
    const kept = this.#kept.get(kind) ?? [];
    const count = this.#counts.get(kind) ?? 0;
    kept[count % REMEMBERED_MAX] = value;
    this.#kept.set(kind, kept);
    this.#counts.set(kind, count + 1);
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

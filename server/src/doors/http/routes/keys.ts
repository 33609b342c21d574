import { ApiKeyBody, ApiKeyMade, ApiKeys } from "@tidings/contract";
import { Type } from "@tidings/contract";
import type { Directory } from "#directory/directory.ts";
import type { Key } from "#directory/keys.ts";
import { json, NO_CONTENT } from "#doors/http/answer.ts";
import { denied } from "#doors/http/commit-answer.ts";
import { paging } from "#doors/http/cursor.ts";
import type { Routes } from "#doors/http/route.ts";

/** Who may knock. */
export function registerKeys(routes: Routes, { keys }: Directory): void {
  routes.add({
    method: "GET",
    path: "/admin/keys",
    tag: "keys",
    scope: "full",
    summary: "All API keys, oldest first, revoked ones too; never their secrets",
    answers: { 200: { says: "The keys", body: ApiKeys } },
    handle: async () => {
      const results = (await keys.list()).map((key) => ({ ...shown(key), revoked: key.revokedMs }));
      return json(200, { paging: paging(null), results });
    },
  });

  routes.add({
    method: "POST",
    path: "/admin/keys",
    tag: "keys",
    scope: "full",
    summary: "Make an API key, or a key pair for AWS' clients; its secret is shown this once",
    body: ApiKeyBody,
    answers: { 201: { says: "The key", body: ApiKeyMade } },
    handle: async (call) => {
      const { name, scopes, aws } = call.body;
      const made = await keys.create(
        { name: name ?? (aws === true ? "aws" : ""), scopes: scopes ?? ["full"], aws: aws === true },
        { once: null, traceparent: call.traceparent },
      );
      if (made.kind !== "done") return denied(call, made);
      const { secret, accessKeyId } = made.value;
      const told = accessKeyId === null ? { key: secret } : { access_key_id: accessKeyId, secret_access_key: secret };
      const body: ApiKeyMade = { ...shown(made.value), ...told };
      return json(201, body, { "cache-control": "no-store" });
    },
  });

  routes.add({
    method: "DELETE",
    path: "/admin/keys/:key_id",
    tag: "keys",
    scope: "full",
    summary: "Revoke an API key",
    params: Type.Object({ key_id: Type.String() }),
    answers: { 204: { says: "It is refused from now on" } },
    faults: ["thing.unknown", "conflict.changed"],
    handle: async (call) => {
      const revoked = await keys.revoke(call.params.key_id, { once: null, traceparent: call.traceparent });
      return revoked.kind === "done" ? NO_CONTENT : denied(call, revoked);
    },
  });
}

function shown({ id, name, prefix, scopes, createdMs, aws }: Key) {
  return { id, name, prefix, scopes: [...scopes], created: createdMs, ...(aws === true ? { aws } : {}) };
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

type Call = { readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: string };

/** A receiver that answers with these statuses in turn, then with 204. */
async function receiver(...statuses: number[]) {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      calls.push({ method: request.method ?? "", headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}/hook`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const content = { title: "Shipped", body: "Order {{order}} left." };

test("a webhook arrives signed by Standard Webhooks, and after a 503 again under the same id", async () => {
  await using home = new Home({
    TIDINGS_WEBHOOKS: "send",
    TIDINGS_WEBHOOK_ALLOW_PRIVATE: "yes",
    TIDINGS_WEBHOOK_SECRET: SECRET,
  });
  await using hook = await receiver(503);
  const program = await home.start();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const id = await program.send(
    { to: { webhook: { url: hook.url } }, content, data: { order: "PX-42" } },
    { traceparent },
  );
  await until("it is sent", async () => (await program.get<{ status: string }>(`/messages/${id}`)).status === "SENT");
  const [first, second, ...more] = hook.calls;
  assert.ok(first !== undefined && second !== undefined && more.length === 0);
  for (const { method, headers, body } of [first, second]) {
    assert.equal(method, "POST");
    assert.equal(headers["webhook-id"], id);
    assert.match(String(headers["traceparent"]), /^00-0af7651916cd43dd8448eb211c80319c-/, "the caller's trace goes on");
    const told = new Webhook(SECRET).verify(body, {
      "webhook-id": String(headers["webhook-id"]),
      "webhook-timestamp": String(headers["webhook-timestamp"]),
      "webhook-signature": String(headers["webhook-signature"]),
    });
    assert.match(JSON.stringify(told), /Order PX-42 left\./);
  }
});

test("unless told otherwise, no webhook reaches this machine or its network", async () => {
  await using home = new Home({ TIDINGS_WEBHOOKS: "send" });
  await using hook = await receiver();
  const program = await home.start();
  const id = await program.send({ to: { webhook: { url: hook.url } }, content });
  const { error } = await until("it is given up", async () => {
    const message = await program.get<{ status: string; error: string }>(`/messages/${id}`);
    return message.status === "UNDELIVERABLE" ? message : null;
  });
  assert.match(error, /private|loopback|public/i);
  assert.equal(hook.calls.length, 0);
});

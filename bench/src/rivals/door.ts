import { createHash, randomUUIDv7, timingSafeEqual } from "node:crypto";
import fastify, { type FastifyInstance } from "fastify";
import type { MailData } from "../mail.ts";
import type { Notice } from "./notice.ts";

const text = { type: "string", minLength: 1, maxLength: 1_000 } as const;
/** As strict as one would be; fastify compiles it once (ajv), and the answer's too. */
const BODY = {
  type: "object",
  required: ["message"],
  properties: {
    message: {
      type: "object",
      required: ["to", "content", "data"],
      properties: {
        to: {
          type: "object",
          required: ["email"],
          properties: { email: { type: "string", maxLength: 254, pattern: "^[^\\s@]+@[^\\s@]+$" } },
        },
        content: {
          type: "object",
          required: ["title", "body"],
          properties: { title: text, body: { type: "string", maxLength: 65_536 } },
        },
        data: {
          type: "object",
          required: ["name", "order"],
          properties: {
            name: text,
            order: { type: "object", required: ["id", "carrier"], properties: { id: text, carrier: text } },
          },
        },
      },
    },
  },
} as const;
const ACCEPTED = { type: "object", properties: { requestId: { type: "string" } } } as const;

type Body = { readonly message: { readonly to: { readonly email: string }; readonly data: MailData } };

/** `POST /send`: key, schema, queue, 202. The words themselves are a template that the program knows. */
export function openDoor(key: string, enqueue: (notice: Notice) => Promise<unknown>): FastifyInstance {
  const app = fastify({ logger: false, ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  const digest = digestOf(`Bearer ${key}`);
  app.addHook("onRequest", async (request, reply) => {
    if (timingSafeEqual(digestOf(request.headers.authorization ?? ""), digest)) return;
    await reply.code(401).send({ message: "This key is not known." });
  });
  app.post<{ Body: Body }>("/send", { schema: { body: BODY, response: { 202: ACCEPTED } } }, async (request, reply) => {
    const { to, data } = request.body.message;
    const id = randomUUIDv7();
    await enqueue({ id, to: to.email, data, acceptedMs: Date.now() });
    reply.code(202);
    return { requestId: id };
  });
  return app;
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

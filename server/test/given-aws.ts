import { createHash, createHmac } from "node:crypto";
import { SQSClient } from "@aws-sdk/client-sqs";
import { KEYS, type KeyBody } from "#directory/collections.ts";
import { awsSecret } from "#directory/aws-keys.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { type Given, givenHouse } from "./given-http.ts";

export const REGION = "eu-north-1";
/** Pairs that open a given door. */
export const FULL_PAIR = "TKIAFULLFULLFULLFULL";
export const SEND_PAIR = "TKIASENDSENDSENDSEND";
export const READ_PAIR = "TKIAREADREADREADREAD";
export const REVOKED_PAIR = "TKIAGONEGONEGONEGONE";

/** A door on a port of its own, with key pairs, for clients that speak AWS' protocols. */
export async function givenAws(given: Given = {}) {
  const it = await givenHouse(given);
  const { house, app } = it;
  const pair = (id: string, scopes: readonly string[], revokedMs: number | null = null) => ({
    collection: KEYS,
    id,
    body: JSON.stringify({
      name: id.slice(4, 8),
      scopes,
      createdMs: 1,
      prefix: id,
      revokedMs,
      origin: "created",
      aws: true,
    } satisfies KeyBody),
    when: "always" as const,
    nowMs: 1,
  });
  await house.engine.submit({
    puts: [
      pair(FULL_PAIR, ["full"]),
      pair(SEND_PAIR, ["send"]),
      pair(READ_PAIR, ["read"]),
      pair(REVOKED_PAIR, ["full"], 5),
    ],
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { ...it, url, endpoint: `${url}/aws`, [Symbol.asyncDispose]: it[Symbol.asyncDispose] };
}

export type GivenAws = Awaited<ReturnType<typeof givenAws>>;

export function credentialsOf({ secrets }: Pick<HttpHouse, "secrets">, accessKeyId = FULL_PAIR) {
  return { accessKeyId, secretAccessKey: awsSecret(secrets, accessKeyId) };
}

/** The client that everybody has, which must not notice anything. */
export function sqsClient({ house, endpoint }: GivenAws, accessKeyId = FULL_PAIR): SQSClient {
  return new SQSClient({ endpoint, region: REGION, credentials: credentialsOf(house, accessKeyId), maxAttempts: 1 });
}

export type QueryWish = {
  readonly fields: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly method?: "GET" | "POST";
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly dateMs?: number;
};

/**
 * A call as boto3 1.26 makes it: Query protocol, form in the body, three signed headers. Signed here by hand, apart from
 * both the door and the SDK.
 */
export async function queryCall(
  given: GivenAws,
  wish: QueryWish,
): Promise<{ status: number; xml: string; headers: Headers }> {
  const { method = "POST", path = "/aws/", accessKeyId = FULL_PAIR } = wish;
  const secret = wish.secret ?? awsSecret(given.house.secrets, accessKeyId);
  const form = new URLSearchParams({ Version: "2012-11-05", ...wish.fields }).toString();
  const [body, query] = method === "POST" ? [form, ""] : ["", form];
  const amzDate = new Date(wish.dateMs ?? given.house.clock.nowMs()).toISOString().replaceAll(/[:-]|\.\d+/g, "");
  const date = amzDate.slice(0, 8);
  const { host } = new URL(given.url);
  const type = "application/x-www-form-urlencoded; charset=utf-8";
  const sha = (text: string): string => createHash("sha256").update(text).digest("hex");
  const mac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const sortedQuery = query.replaceAll("+", "%20").replaceAll("*", "%2A").split("&").toSorted().join("&");
  const canonical = `${method}\n${path}\n${sortedQuery}\ncontent-type:${type}\nhost:${host}\nx-amz-date:${amzDate}\n\ncontent-type;host;x-amz-date\n${sha(body)}`;
  const scope = `${date}/${REGION}/sqs/aws4_request`;
  const key = mac(mac(mac(mac(`AWS4${secret}`, date), REGION), "sqs"), "aws4_request");
  const signature = mac(key, `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha(canonical)}`).toString("hex");
  const response = await fetch(`${given.url}${path}${query === "" ? "" : `?${query}`}`, {
    method,
    headers: {
      "content-type": type,
      "x-amz-date": amzDate,
      "authorization": `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=content-type;host;x-amz-date, Signature=${signature}`,
    },
    ...(method === "POST" ? { body } : {}),
  });
  return { status: response.status, xml: await response.text(), headers: response.headers };
}

/** What stands in the first element of this name, entities resolved. */
export function inXml(xml: string, name: string): string | null {
  const inner = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  if (inner === undefined) return null;
  return inner.replaceAll("&#xD;", "\r").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

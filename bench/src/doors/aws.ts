import { createHmac, hash } from "node:crypto";

/** Calls of AWS' clients as text for `Caller`, signed by Signature Version 4 as SDKs do, in as few instructions as will do. */
export type Pair = { readonly accessKeyId: string; readonly secretAccessKey: string };

export type Place = {
  readonly host: string;
  readonly port: number;
  /** Where the services are: `/aws`, or `/` of most others. */
  readonly path: string;
  readonly pair: Pair;
};

export const REGION = "us-east-1";
const SIGNED = "content-type;host;x-amz-content-sha256;x-amz-date";
const SIGNED_JSON = `${SIGNED};x-amz-target`;
const JSON_TYPES = { sqs: "application/x-amz-json-1.0", events: "application/x-amz-json-1.1" } as const;
const TARGETS = { sqs: "AmazonSQS", events: "AWSEvents" } as const;

export class Signer {
  readonly #place: Place;
  readonly #service: "sqs" | "events";
  #second = 0;
  #amzDate = "";
  #scope = "";
  #key: Buffer = Buffer.alloc(0);

  constructor(place: Place, service: "sqs" | "events") {
    this.#place = place;
    this.#service = service;
  }

  /** A call of the JSON protocol. */
  json(action: string, body: string): string {
    return this.#request(JSON_TYPES[this.#service], `${TARGETS[this.#service]}.${action}`, body);
  }

  /** A call of the older Query protocol. */
  query(action: string, fields: readonly (readonly [string, string])[]): string {
    let body = `Action=${action}&Version=2012-11-05`;
    for (const [name, value] of fields) body += `&${name}=${encodeURIComponent(value)}`;
    return this.#request("application/x-www-form-urlencoded; charset=utf-8", null, body);
  }

  #request(type: string, target: string | null, body: string): string {
    const { host, port, path, pair } = this.#place;
    this.#tick();
    const bodyHash = hash("sha256", body, "hex");
    const signed = target === null ? SIGNED : SIGNED_JSON;
    let headers = `content-type:${type}\nhost:${host}:${port}\nx-amz-content-sha256:${bodyHash}\nx-amz-date:${this.#amzDate}\n`;
    if (target !== null) headers += `x-amz-target:${target}\n`;
    const canonical = hash("sha256", `POST\n${path}\n\n${headers}\n${signed}\n${bodyHash}`, "hex");
    const signature = createHmac("sha256", this.#key)
      .update(`AWS4-HMAC-SHA256\n${this.#amzDate}\n${this.#scope}\n${canonical}`)
      .digest("hex");
    const credential = `Credential=${pair.accessKeyId}/${this.#scope}, SignedHeaders=${signed}, Signature=${signature}`;
    // Header lines as they were signed.
    return `POST ${path} HTTP/1.1\r\n${headers.replaceAll("\n", "\r\n")}authorization: AWS4-HMAC-SHA256 ${credential}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  /** The signing key is of a day, and the time is a text of its second. */
  #tick(): void {
    const second = Math.floor(Date.now() / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#amzDate = new Date(second * 1000).toISOString().replaceAll(/[:-]|\.\d+/g, "");
    const scope = `${this.#amzDate.slice(0, 8)}/${REGION}/${this.#service}/aws4_request`;
    if (scope === this.#scope) return;
    this.#scope = scope;
    let key = Buffer.from(`AWS4${this.#place.pair.secretAccessKey}`);
    for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
    this.#key = key;
  }
}

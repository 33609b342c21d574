import assert from "node:assert/strict";
import { createHash, createHmac, hash } from "node:crypto";
import { describe, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { canonicalRequest, headerValues, type SignedRequest } from "#doors/aws/canonical.ts";
import { AwsFault } from "#doors/aws/fault.ts";
import { ageFault, type Claim, readClaim, scopeFault, signatureFault, signingKey } from "#doors/aws/signature.ts";

const KEY = "AKIDEXAMPLE";
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNED = new Date("2024-05-06T07:08:09Z");
const HOST = "127.0.0.1:8080";

type Sent = SignedRequest & { readonly body: string };

/** The code of the refusal; "fine" when there is none. All checks in the order of the door. */
function verdictOn(sent: Sent, secret = SECRET, nowMs = SIGNED.getTime(), service = "sqs"): string {
  const claim = readClaim(sent);
  if (claim instanceof AwsFault) return claim.code;
  const key = signingKey(secret, claim);
  const fault =
    scopeFault(claim, service) ?? ageFault(claim, nowMs) ?? signatureFault(claim, sent, Buffer.from(sent.body), key);
  return fault?.code ?? "fine";
}

function claimIn(sent: Sent): Claim {
  const claim = readClaim(sent);
  assert.ok(!(claim instanceof AwsFault), claim instanceof AwsFault ? claim.message : "");
  return claim;
}

function sentWith(method: string, url: string, headers: Readonly<Record<string, string>>, body: string): Sent {
  const [path = "", query = ""] = url.split("?");
  return { method, path, query, headers: headerValues(Object.entries(headers).flat()), body };
}

function headerOf(scope: string, signedHeaders: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=${KEY}/20240506/eu-north-1/${scope}/aws4_request, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

const FORM = {
  "host": HOST,
  "content-type": "application/x-www-form-urlencoded; charset=utf-8",
  "x-amz-date": "20240506T070809Z",
  "authorization": headerOf(
    "sqs",
    "content-type;host;x-amz-date",
    "d137e7ac11aa5ae418b59efe997a1394771df28515804ff245baa8b391fec640",
  ),
};
const FORM_BODY =
  "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2F127.0.0.1%3A8080%2F000000000000%2Forders&MessageBody=hello+world";

describe("the test values of the reference", () => {
  const digest = (sent: Sent): string => {
    const canonical = canonicalRequest(sent, claimIn(sent).signedHeaders, hash("sha256", sent.body)) ?? "";
    return createHash("sha256").update(canonical).digest("hex");
  };

  test("a form posted to SQS", () => {
    const sent = sentWith("POST", "/", FORM, FORM_BODY);
    assert.equal(digest(sent), "bfc2c00ff961d7d7d931bb88b0ded0b223e9a28acc0399bcd99c725d8997c87f");
    assert.equal(verdictOn(sent), "fine");
  });

  test("JSON posted to EventBridge", () => {
    const headers = {
      "host": HOST,
      "content-type": "application/x-amz-json-1.1",
      "x-amz-date": "20240506T070809Z",
      "x-amz-target": "AWSEvents.PutEvents",
      "authorization": headerOf(
        "events",
        "content-type;host;x-amz-date;x-amz-target",
        "1f9f2ce4243f0a781f06e3910ba698b106e82b65780a67a1e7fb7ad95f150fc6",
      ),
    };
    const body = '{"Entries": [{"Source": "shop", "DetailType": "OrderPlaced", "Detail": "{}"}]}';
    const sent = sentWith("POST", "/", headers, body);
    assert.equal(digest(sent), "753b6cf703d00a474603370fc12d9c1624e9e6954e91de45c763b8397ea8a20a");
    assert.equal(verdictOn(sent, SECRET, SIGNED.getTime(), "events"), "fine");
  });

  test("a presigned GET", () => {
    const url =
      "/000000000000/orders?Action=SendMessage&Version=2012-11-05&MessageBody=hi%20there&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
      `&X-Amz-Credential=${KEY}%2F20240506%2Feu-north-1%2Fsqs%2Faws4_request&X-Amz-Date=20240506T070809Z&X-Amz-Expires=60` +
      "&X-Amz-SignedHeaders=host&X-Amz-Signature=4cb66ba9feb935466630c57a894d301e93fd88b4f64be069ed9d9252090b47c3";
    const sent = sentWith("GET", url, { host: HOST }, "");
    assert.equal(digest(sent), "f33d43ccef7418227c1e431145b847070e13e14740fc72fc71c28a5a73801f22");
    assert.equal(verdictOn(sent), "fine");
    assert.equal(verdictOn(sent, SECRET, SIGNED.getTime() + 60_000), "fine");
    assert.equal(verdictOn(sent, SECRET, SIGNED.getTime() + 61_000), "SignatureDoesNotMatch");
    assert.equal(verdictOn(sent, SECRET, SIGNED.getTime() - 1_000), "SignatureDoesNotMatch");
  });
});

describe("what is refused, and by which code", () => {
  const form = (changes: Partial<Record<keyof typeof FORM, string>> = {}, body = FORM_BODY): Sent =>
    sentWith("POST", "/", { ...FORM, ...changes }, body);
  const rewritten = (from: string | RegExp, to: string): Sent =>
    form({ authorization: FORM.authorization.replace(from, to) });

  test("no signature at all", () => {
    const { authorization: _, ...headers } = FORM;
    assert.equal(verdictOn(sentWith("POST", "/", headers, FORM_BODY)), "MissingAuthenticationToken");
    assert.equal(verdictOn(sentWith("GET", "/?Action=ListQueues", headers, "")), "MissingAuthenticationToken");
  });

  test("headers that cannot be read", () => {
    for (const authorization of [
      "Bearer tk_live_123",
      "AWS4-HMAC-SHA256",
      "AWS4-HMAC-SHA256 Credential=a/b",
      FORM.authorization.replace("/aws4_request", ""),
      FORM.authorization.replace("aws4_request", "aws5_request"),
      FORM.authorization.replace("d137e7ac", "d137e7az"),
      FORM.authorization.replace(/.$/, ""),
      `${FORM.authorization}, Signature=00`,
    ]) {
      assert.equal(verdictOn(form({ authorization })), "IncompleteSignature", authorization);
    }
    assert.equal(verdictOn(form({ "x-amz-date": "yesterday" })), "IncompleteSignature");
    const { "x-amz-date": _, ...dateless } = FORM;
    assert.equal(verdictOn(sentWith("POST", "/", dateless, FORM_BODY)), "IncompleteSignature");
  });

  test("a host that is not signed, and a signed header that was not sent", () => {
    assert.equal(verdictOn(rewritten("content-type;host;", "content-type;")), "IncompleteSignature");
    const { host: _, ...hostless } = FORM;
    assert.equal(verdictOn(sentWith("POST", "/", hostless, FORM_BODY)), "SignatureDoesNotMatch");
  });

  test("another secret, body, header, method, path or query", () => {
    assert.equal(verdictOn(form(), `${SECRET}x`), "SignatureDoesNotMatch");
    assert.equal(verdictOn(form({}, `${FORM_BODY}!`)), "SignatureDoesNotMatch");
    assert.equal(verdictOn(form({ host: "127.0.0.1:8081" })), "SignatureDoesNotMatch");
    assert.equal(verdictOn(sentWith("PUT", "/", FORM, FORM_BODY)), "SignatureDoesNotMatch");
    assert.equal(verdictOn(sentWith("POST", "/x", FORM, FORM_BODY)), "SignatureDoesNotMatch");
    assert.equal(verdictOn(sentWith("POST", "/?a=b", FORM, FORM_BODY)), "SignatureDoesNotMatch");
  });

  test("a clock that is more than five minutes off", () => {
    const minutes = (count: number): string => verdictOn(form(), SECRET, SIGNED.getTime() + count * 60_000);
    assert.equal(minutes(5), "fine");
    assert.equal(minutes(-5), "fine");
    assert.equal(minutes(5.1), "SignatureDoesNotMatch");
    assert.equal(minutes(-5.1), "SignatureDoesNotMatch");
  });

  test("a scope of another service, or of another day than its date", () => {
    assert.equal(verdictOn(form(), SECRET, SIGNED.getTime(), "events"), "SignatureDoesNotMatch");
    assert.equal(verdictOn(rewritten("/20240506/", "/20240507/")), "SignatureDoesNotMatch");
  });

  test("a hash of the body that is not the body's", () => {
    const hashed = (value: string): Sent =>
      sentWith("POST", "/", { ...FORM, "x-amz-content-sha256": value }, FORM_BODY);
    assert.equal(verdictOn(hashed("UNSIGNED-PAYLOAD")), "SignatureDoesNotMatch");
    assert.equal(verdictOn(hashed(hash("sha256", "something else"))), "SignatureDoesNotMatch");
    assert.equal(verdictOn(hashed(hash("sha256", FORM_BODY))), "fine");
  });

  test("an action that is not under the signature", () => {
    const sent = sentWith("POST", "/", { ...FORM, "x-amz-target": "AmazonSQS.DeleteQueue" }, FORM_BODY);
    assert.equal(verdictOn(sent), "SignatureDoesNotMatch");
  });

  test("a presigned URL without an end, or with one beyond a week", () => {
    const url = (expires: string): Sent =>
      sentWith(
        "GET",
        `/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${KEY}%2F20240506%2Feu-north-1%2Fsqs%2Faws4_request` +
          `&X-Amz-Date=20240506T070809Z${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=${"0".repeat(64)}`,
        { host: HOST },
        "",
      );
    for (const expires of ["", "&X-Amz-Expires=0", "&X-Amz-Expires=604801", "&X-Amz-Expires=soon"]) {
      assert.equal(verdictOn(url(expires)), "IncompleteSignature");
    }
    assert.equal(verdictOn(url("&X-Amz-Expires=604800")), "SignatureDoesNotMatch");
  });
});

/** Node's hashes in the form that the independent signer asks for. */
class Sha256 {
  readonly #parts: Uint8Array[] = [];
  readonly #secret: Uint8Array | string | null;

  constructor(secret?: unknown) {
    this.#secret = typeof secret === "string" || secret instanceof Uint8Array ? secret : null;
  }
  update(data: unknown): void {
    this.#parts.push(
      typeof data === "string" ? Buffer.from(data) : data instanceof Uint8Array ? data : Buffer.alloc(0),
    );
  }
  async digest(): Promise<Uint8Array> {
    const hasher = this.#secret === null ? createHash("sha256") : createHmac("sha256", this.#secret);
    for (const part of this.#parts) hasher.update(part);
    return hasher.digest();
  }
  reset(): void {
    this.#parts.length = 0;
  }
}

const signer = new SignatureV4({
  credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
  region: "eu-north-1",
  service: "sqs",
  sha256: Sha256,
});

type Wish = {
  readonly method: "GET" | "POST";
  readonly segments: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter((text) => text.isWellFormed());
const blankless = fc.stringMatching(/^[!-~]{1,10}$/);
const wish: fc.Arbitrary<Wish> = fc.record({
  method: fc.constantFrom("GET" as const, "POST" as const),
  segments: fc.array(
    word.filter((text) => text !== "." && text !== ".."),
    { maxLength: 3 },
  ),
  query: fc.dictionary(
    word.filter((name) => !name.startsWith("X-")),
    word,
    { maxKeys: 3, noNullPrototype: true },
  ),
  headers: fc.dictionary(
    fc.stringMatching(/^x-my-[a-z]{1,5}$/),
    fc.tuple(blankless, blankless).map(([one, other]) => `${one}  ${other}`),
    { maxKeys: 3, noNullPrototype: true },
  ),
  body: fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed()),
});

/** Signs as an SDK does, and gives what would go over the wire. */
async function signed({ method, segments, query, headers, body }: Wish): Promise<Sent> {
  const path = `/${segments.map(encodeURIComponent).join("/")}`;
  const request = {
    method,
    protocol: "http:",
    hostname: "127.0.0.1",
    path,
    query: { ...query },
    headers: { host: HOST, ...headers },
    body,
  };
  const { headers: sentHeaders } = await signer.sign(request, { signingDate: SIGNED });
  const pairs = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return sentWith(method, `${path}?${pairs.join("&")}`, sentHeaders, body);
}

/** One character of a text is another one, that means another thing too. */
function flipped(text: string, at: number): string {
  const index = at % text.length;
  return text.slice(0, index) + (text[index] === "q" ? "w" : "q") + text.slice(index + 1);
}

test("whatever an independent signer has signed is accepted", async () => {
  await fc.assert(
    fc.asyncProperty(wish, async (it) => assert.equal(verdictOn(await signed(it)), "fine")),
    { numRuns: 300 },
  );
});

test("nothing is accepted of which one character was changed under the signature", async () => {
  const places = ["body", "path", "query", "header", "host", "signature"] as const;
  await fc.assert(
    fc.asyncProperty(wish, fc.constantFrom(...places), fc.nat(), async (it, place, at) => {
      const sent = await signed(it);
      const [name = "", value = ""] = Object.entries(it.query)[0] ?? [];
      const changedHeader = (key: string, to: (value: string) => string): Sent => ({
        ...sent,
        headers: new Map([...sent.headers, [key, [to(sent.headers.get(key)?.[0] ?? "")]]]),
      });
      const [header] = Object.keys(it.headers);
      fc.pre(place !== "body" || it.body !== "");
      fc.pre(place !== "query" || value !== "");
      fc.pre(place !== "header" || header !== undefined);
      const change: Readonly<Record<(typeof places)[number], () => Sent>> = {
        body: () => ({ ...sent, body: `${it.body.slice(0, at % it.body.length)}\u{1F980}` }),
        path: () => ({ ...sent, path: flipped(sent.path, at) }),
        query: () => {
          const other = encodeURIComponent(flipped(Buffer.from(value).toString("hex"), at));
          return { ...sent, query: `${encodeURIComponent(name)}=${other}` };
        },
        // A run of blanks is worth one, so only what is no blank is changed.
        header: () => changedHeader(header ?? "", (text) => flipped(text.replaceAll(" ", ""), at)),
        host: () => changedHeader("host", (text) => flipped(text, at)),
        signature: () =>
          changedHeader("authorization", (text) => text.replace(/.$/, (last) => (last === "0" ? "1" : "0"))),
      };
      assert.equal(verdictOn(change[place]()), "SignatureDoesNotMatch");
    }),
    { numRuns: 300 },
  );
});

test("a presigned request of an independent signer is accepted, whatever it asks", async () => {
  await fc.assert(
    fc.asyncProperty(wish, async ({ segments, query }) => {
      const path = `/${segments.map(encodeURIComponent).join("/")}`;
      const request = {
        method: "GET",
        protocol: "http:",
        hostname: "127.0.0.1",
        path,
        query: { ...query },
        headers: { host: HOST },
      };
      const presigned = await signer.presign(request, { signingDate: SIGNED, expiresIn: 60 });
      const pairs = Object.entries(presigned.query ?? {}).map(
        ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
      );
      assert.equal(verdictOn(sentWith("GET", `${path}?${pairs.join("&")}`, { host: HOST }, "")), "fine");
    }),
    { numRuns: 100 },
  );
});

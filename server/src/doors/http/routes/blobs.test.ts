import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { AUTH, givenHouse, READ_KEY, SEND_KEY } from "../../../../test/given-http.ts";

type Wish = { readonly body?: string | Buffer; readonly headers?: Readonly<Record<string, string>> };

async function given() {
  const door = await givenHouse();
  return {
    ...door,
    async call(method: "GET" | "HEAD" | "PUT" | "DELETE" | "POST", url: string, { body, headers = {} }: Wish = {}) {
      const payload = body === undefined ? {} : { payload: body };
      const answer = await door.app.inject({ method, url, headers: { ...AUTH, ...headers }, ...payload });
      const isJson = String(answer.headers["content-type"]).startsWith("application/json");
      return {
        ...{ status: answer.statusCode, headers: answer.headers, text: answer.body },
        json: isJson && answer.body !== "" ? answer.json() : null,
      };
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

const TEXT = { "content-type": "text/plain" };

test("a file is kept under a name with slashes, however they are written, and given back as it was", async () => {
  await using door = await given();
  const bytes = Buffer.from([0, 255, 10, 13]);
  const made = await door.call("PUT", "/blobs/reports/a.json", { body: bytes, headers: { "content-type": "a/b" } });
  assert.equal(made.status, 201);
  const { sha256, created, ...rest } = made.json;
  assert.deepEqual(rest, { name: "reports/a.json", bytes: 4, content_type: "a/b", updated: created });
  assert.equal(made.headers["etag"], `"${sha256}"`);
  for (const url of ["/blobs/reports/a.json", "/blobs/reports%2Fa.json", "/blobs/reports%2fa%2Ejson"]) {
    const got = await door.app.inject({ method: "GET", url, headers: AUTH });
    assert.deepEqual([got.statusCode, got.rawPayload, got.headers["content-type"]], [200, bytes, "a/b"], url);
  }
  const again = await door.call("PUT", "/blobs/reports%2Fa.json", { body: "x" });
  assert.deepEqual([again.status, again.json.created], [200, created]);
  assert.equal((await door.call("GET", "/blobs/reports/a.json")).headers["content-type"], "application/octet-stream");
});

test("whatever is in a file, it is no page of ours", async () => {
  await using door = await given();
  await door.call("PUT", "/blobs/x/é('1').html", {
    body: "<script>alert(1)</script>",
    headers: { "content-type": "text/html" },
  });
  const { headers } = await door.call("GET", "/blobs/x/é('1').html");
  assert.equal(headers["content-disposition"], "attachment; filename*=UTF-8''%C3%A9%28%271%27%29.html");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.match(String(headers["content-security-policy"]), /^sandbox; default-src 'none'/);
});

test("who has a file already is told so, and HEAD tells what it is", async () => {
  await using door = await given();
  const { headers: put } = await door.call("PUT", "/blobs/a", { body: "text", headers: TEXT });
  const etag = String(put["etag"]);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const answer = await door.call("GET", "/blobs/a", { headers: { "if-none-match": known } });
    assert.deepEqual([answer.status, answer.text, answer.headers["etag"]], [304, "", etag]);
  }
  const other = await door.call("GET", "/blobs/a", { headers: { "if-none-match": '"other"' } });
  assert.deepEqual([other.status, other.text], [200, "text"]);
  const head = await door.call("HEAD", "/blobs/a");
  assert.deepEqual(
    [head.status, head.text, head.headers["content-length"], head.headers["content-type"], head.headers["etag"]],
    [200, "", "4", "text/plain", etag],
  );
  assert.equal((await door.call("HEAD", "/blobs/nothing")).status, 404);
});

test("a put that may only make something new leaves what is there, and other conditions are refused", async () => {
  await using door = await given();
  const only = { "if-none-match": "*" };
  assert.equal((await door.call("PUT", "/blobs/a", { body: "one", headers: only })).status, 201);
  const refused = await door.call("PUT", "/blobs/a", { body: "two", headers: only });
  assert.deepEqual([refused.status, refused.json.code], [409, "conflict.exists"]);
  for (const headers of [{ "if-match": '"abc"' }, { "if-none-match": '"abc"' }]) {
    assert.equal((await door.call("PUT", "/blobs/a", { body: "three", headers })).json.code, "request.invalid");
  }
  assert.equal((await door.call("GET", "/blobs/a")).text, "one");
});

test("what cannot be kept is refused with a sentence", async () => {
  await using door = await given();
  const put = async (url: string, wish: Wish) => {
    const { status, json } = await door.call("PUT", url, { body: "x", ...wish });
    return `${status} ${json?.code}`;
  };
  assert.equal(await put("/blobs/a%2F..%2Fb", {}), "400 request.invalid");
  assert.equal(await put("/blobs/a//b", {}), "400 request.invalid");
  assert.equal(await put("/blobs/a%0Ab", {}), "400 request.invalid");
  assert.equal(await put("/blobs/a%00b", {}), "400 request.invalid");
  assert.equal(await put(`/blobs/${"x".repeat(513)}`, {}), "400 request.invalid");
  assert.equal(await put("/blobs/%FF", {}), "400 request.invalid");
  assert.equal(await put("/blobs/a", { headers: { "content-type": "nonsense" } }), "400 request.invalid");
  assert.equal(await put("/blobs/a", { headers: { "content-encoding": "gzip" } }), "415 request.unsupported_type");
  assert.equal(await put("/blobs/a", { body: Buffer.alloc(20 * 1024 * 1024 + 1) }), "413 request.too_large");
  assert.equal((await door.call("PUT", "/blobs", { body: "x" })).status, 405);
  assert.equal((await door.call("POST", "/blobs/a/b", { body: "x" })).status, 405);
  assert.deepEqual((await door.call("GET", "/blobs")).json.results, []);
});

test("a path that climbs out of a folder is refused even by who does not tidy it up before sending", async () => {
  await using door = await given();
  const url = await door.app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const { authorization } = AUTH;
  const head = `PUT /blobs/a/../../b HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-length: 1\r\n\r\nx`;
  socket.write(head);
  const [first] = await Array.fromAsync(socket.take(1));
  socket.destroy();
  assert.match(String(first), /^HTTP\/1\.1 400 /);
  assert.deepEqual((await door.call("GET", "/blobs")).json.results, []);
});

test("a file is deleted once, and one that is not there is unknown", async () => {
  await using door = await given();
  await door.call("PUT", "/blobs/x/a", { body: "text" });
  assert.equal((await door.call("DELETE", "/blobs/x/a")).status, 204);
  assert.equal((await door.call("DELETE", "/blobs/x/a")).json.code, "thing.unknown");
  assert.equal((await door.call("GET", "/blobs/x/a")).json.code, "thing.unknown");
});

test("files are listed by name and prefix, in pages", async () => {
  await using door = await given();
  for (const name of ["b", "a/2", "a/1", "a/3"]) await door.call("PUT", `/blobs/${name}`, { body: name });
  const names = ({ results }: { readonly results: readonly { readonly name: string }[] }) =>
    results.map(({ name }) => name);
  const first = (await door.call("GET", "/blobs?prefix=a/&limit=2")).json;
  const second = (await door.call("GET", `/blobs?prefix=a/&limit=2&cursor=${first.paging.cursor}`)).json;
  assert.deepEqual([names(first), names(second), second.paging.more], [["a/1", "a/2"], ["a/3"], false]);
  assert.deepEqual(names((await door.call("GET", "/blobs/")).json), ["a/1", "a/2", "a/3", "b"]);
  assert.equal((await door.call("GET", "/blobs?cursor=%3F")).status, 400);
});

test("a key that may send puts files, one that may read reads them, and neither deletes", async () => {
  await using door = await given();
  const as = (key: string): Wish => ({ body: "x", headers: { authorization: `Bearer ${key}` } });
  assert.equal((await door.call("PUT", "/blobs/a/b", as(SEND_KEY))).status, 201);
  assert.equal((await door.call("PUT", "/blobs/a/b", as(READ_KEY))).status, 403);
  assert.equal((await door.call("GET", "/blobs/a/b", as(READ_KEY))).status, 200);
  assert.equal((await door.call("GET", "/blobs/a/b", as(SEND_KEY))).status, 403);
  for (const key of [SEND_KEY, READ_KEY]) assert.equal((await door.call("DELETE", "/blobs/a/b", as(key))).status, 403);
  const nobody = await door.app.inject({ method: "GET", url: "/blobs/a/b" });
  assert.equal(nobody.statusCode, 401);
});

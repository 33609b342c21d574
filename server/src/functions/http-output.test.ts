import assert from "node:assert/strict";
import { test } from "node:test";
import { keptAnswer, keptText, readHttpOutput } from "#functions/http-output.ts";

const read = (value: unknown) => readHttpOutput(JSON.stringify(value));
const says = (value: unknown) => {
  const output = read(value);
  return output.ok ? "fine" : output.says;
};

test("nothing is 204, a body 200, and a string is text", () => {
  const answers = [readHttpOutput(null), read({ body: { a: 1 } }), read({ body: "hi" }), read({ status: 201 })];
  assert.deepEqual(
    answers.map((output) => output.ok && [output.answer.status, output.answer.type, output.answer.body]),
    [
      [204, "", null],
      [200, "application/json; charset=utf-8", '{"a":1}'],
      [200, "text/plain; charset=utf-8", "hi"],
      [201, "application/json; charset=utf-8", null],
    ],
  );
  assert.deepEqual(read({ body: null }), read({ status: 200, body: null }));
});

test("headers keep their values under lower-case names, and the content type is theirs", () => {
  const output = read({
    headers: { "Content-Type": "text/csv", "X-Total": "3", "set-cookie": "a=1; HttpOnly" },
    body: "a",
  });
  assert.ok(output.ok);
  assert.deepEqual(output.answer, {
    status: 200,
    type: "text/csv",
    headers: { "x-total": "3", "set-cookie": "a=1; HttpOnly" },
    body: "a",
  });
});

test("what is no answer is said in a sentence", () => {
  assert.match(says("hello"), /returned a string, which is no answer/);
  assert.match(says([1]), /returned an array/);
  assert.match(says(null), /returned null/);
  assert.match(says({}), /returned \{\}/);
  assert.match(says({ statusCode: 200, body: "" }), /an object with "statusCode"/);
  for (const status of [199, 600, 200.5, "200", 0, -1, true]) assert.match(says({ status }), /must be a whole number/);
  assert.match(says({ status: 204, body: "x" }), /status 204, which has none/);
  assert.match(says({ status: 304, body: null }), /status 304, which has none/);
  assert.match(says({ headers: ["a"] }), /headers that are no object/);
  assert.match(says({ body: "x".repeat(6 * 1024 * 1024 + 1) }), /are the most/);
});

test("no header can end a line, speak for the connection, or stand in for ours", () => {
  for (const value of ["a\r\nset-cookie: x=1", "a\nb", "a\0", "café €", "a\u007f"])
    assert.match(says({ headers: { "x-a": value } }), /not text on one line/, JSON.stringify(value));
  assert.equal(says({ headers: { "x-a": "café" } }), "fine");
  for (const name of ["a b", "a:", "", "a\r\nb", "ü"])
    assert.match(says({ headers: { [name]: "x" } }), /no name for one/);
  for (const name of ["Connection", "transfer-encoding", "Content-Length", "X-Request-Id", "upgrade"])
    assert.match(says({ headers: { [name]: "x" } }), /only the server sets/);
  assert.match(says({ headers: { "X-A": "1", "x-a": "2" } }), /twice/);
  assert.match(says({ headers: { "x-a": 7 } }), /not text/);
  assert.match(says({ headers: { "x-a": "x".repeat(9_000) } }), /are the most/);
});

test("an answer that is kept comes back whole", () => {
  const output = read({ status: 418, headers: { "x-a": "1" }, body: "short and stout" });
  assert.ok(output.ok);
  assert.deepEqual(keptAnswer({ status: 418, body: keptText(output.answer) }), output.answer);
});

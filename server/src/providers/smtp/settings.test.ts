import assert from "node:assert/strict";
import { test } from "node:test";
import { readTarget } from "./settings.ts";

test("a URL says where, how and how much", () => {
  const target = readTarget(
    { url: "smtps://us%40er:p%2Fw@mail.example.com?pool=3&tls=require&verify=false&window=2", from: "a@b.c" },
    "mta.example.com",
  );
  assert.equal(target.host, "mail.example.com");
  assert.equal(target.port, 465);
  assert.equal(target.implicitTls, true);
  assert.deepEqual(target.auth, { user: "us@er", password: "p/w" });
  assert.deepEqual([target.pool, target.poolWithoutChunking, target.window], [3, 3, 2]);
  assert.deepEqual([target.tls, target.verify], ["require", false]);
  assert.equal(target.hostname, "mta.example.com");
});

test("without parameters the defaults are the safe ones", () => {
  const target = readTarget({ url: "smtp://[::1]:2525", from: "a@b.c" }, "not a hostname\r\nMAIL FROM:<x>");
  assert.deepEqual([target.host, target.port, target.auth], ["::1", 2525, null]);
  assert.deepEqual([target.tls, target.verify], ["opportunistic", true]);
  assert.deepEqual([target.pool, target.poolWithoutChunking, target.window], [10, 40, 8]);
  assert.equal(target.hostname, "[127.0.0.1]");
});

test("a mistake is named without the password", () => {
  const wrong = [
    "http://user:hunter2@host",
    "smtp://user:hunter2@host:99999",
    "smtp://user:hunter2@host?pol=1",
    "smtp://user:hunter2@host?pool=0",
    "smtp://user:hunter2@host?tls=maybe",
    "smtp://user:hunter2%ff@host",
    "smtp://user:hunter2%00@host",
    "hunter2",
  ];
  for (const url of wrong) {
    assert.throws(
      () => readTarget({ url, from: "a@b.c" }, "host"),
      (error: Error) => /SMTP URL/.test(error.message) && !error.message.includes("hunter2"),
      url,
    );
  }
  const hostname = "host\r\nMAIL FROM:<x>";
  assert.throws(() => readTarget({ url: "smtp://host", from: "a@b.c", hostname }, "host"), /hostname/);
  assert.throws(() => readTarget({ url: "smtp://host", from: "a@b.c", ca: "garbage" }, "host"), /CA certificates/);
});

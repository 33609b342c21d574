import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { headerValues } from "../../../server/src/doors/aws/canonical.ts";
import { readClaim, signatureFault, signingKey } from "../../../server/src/doors/aws/signature.ts";
import { AwsFault } from "../../../server/src/doors/aws/fault.ts";
import { type Place, Signer } from "./aws.ts";
import { OURS } from "./contestants.ts";
import { runCycles } from "./cycles.ts";
import { type Cycled, wayKey } from "./cycling.ts";
import { DOORS, toOf } from "./doors.ts";
import { aimsOf, isWrong, type Results, tableOf, verdictOf } from "./report.ts";

const PAIR = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const PLACE: Place = { host: "127.0.0.1", port: 8080, path: "/aws", pair: PAIR };
const SPREAD = { p50: 1, p95: 2, p99: 3, max: 4 };

test("calls of both protocols are signed as the door verifies it", () => {
  const signer = new Signer(PLACE, "sqs");
  const calls = [
    signer.json("SendMessage", '{"MessageBody":"é"}'),
    signer.query("SendMessage", [["MessageBody", "a b+é"]]),
  ];
  for (const call of calls) {
    const [head = "", body = ""] = call.split("\r\n\r\n");
    const lines = head.split("\r\n").slice(1);
    const raw = lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
    const request = { method: "POST", path: PLACE.path, query: "", headers: headerValues(raw) };
    const claim = readClaim(request);
    assert.ok(!(claim instanceof AwsFault));
    const key = signingKey(PAIR.secretAccessKey, claim);
    assert.equal(signatureFault(claim, request, Buffer.from(body), key), null);
    assert.notEqual(signatureFault(claim, request, Buffer.from(`${body} `), key), null);
  }
});

test("each door's calls are told apart by their number, and say how long their body is", () => {
  const to = toOf(PLACE, "key", "b");
  for (const { key, call } of DOORS) {
    assert.notEqual(call(to, 1), call(to, 2), key);
    const [head = "", body = ""] = call(to, 1).split("\r\n\r\n");
    assert.match(head, new RegExp(`content-length: ${Buffer.byteLength(body)}$`, "m"), key);
  }
});

/** A queue in memory that answers in chunks, gives the second message twice and forgets the fifth and the seventh. */
async function leakyServer() {
  const lying: string[] = [];
  let sends = 0;
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const { MessageBody: body = "" } = JSON.parse(text) as { MessageBody?: string };
      response.writeHead(200);
      const action = String(request.headers["x-amz-target"]).split(".")[1];
      if (action === "SendMessage") {
        sends += 1;
        if (sends !== 5 && sends !== 7) lying.push(body, ...(sends === 2 ? [body] : []));
      }
      const given = action === "ReceiveMessage" ? lying.splice(0, 1) : [];
      response.end(JSON.stringify({ Messages: given.map((Body) => ({ Body, ReceiptHandle: "r" })) }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("a server that loses a message and gives one twice is found out", async () => {
  await using server = await leakyServer();
  const place = { ...PLACE, port: server.port, path: "/" };
  const job = { place, queueUrl: "q", client: "json", batch: 1, burst: "t", loops: 1, forMs: 60_000 } as const;
  // The double fills the place of the fifth; where the seventh should be there is nothing, and the loop gives up.
  const { lost, twice } = await runCycles(job);
  assert.deepEqual({ lost, twice }, { lost: 2, twice: 1 });
});

test("an aim is met or missed by the medians, and one that was not measured is neither", () => {
  const way = { client: "json", loops: 16, batch: 1 } as const;
  const rounds = {
    [wayKey(way)]: {
      [OURS]: [cycled(300), cycled(900), cycled(500)],
      fauxqs: [cycled(400)],
      "fauxqs-disk": [cycled(600)],
    },
  };
  const results = resultsOf({
    doors: {
      rounds: { send: [accepted(1_000)], "sqs-json": [accepted(700), accepted(900)], courier: [accepted(700)] },
      lost: {},
    },
    cycles: { ways: [way], rounds, missing: ["sqslite: speaks Query only"] },
  });
  const verdicts = new Map(aimsOf(results).map((aim) => [aim.name, `${aim.value.toFixed(2)} ${verdictOf(aim)}`]));
  assert.equal(verdicts.get("SQS SendMessage, JSON, × `POST /send`"), "0.90 met");
  assert.equal(verdicts.get("Courier's `/inbound/courier`, × `POST /send`"), "0.70 missed");
  assert.equal(verdicts.get("CloudEvents, binary, × `POST /send`"), "NaN not measured");
  const cycles = "SQS cycles, JSON protocol, single, 16 loops";
  assert.equal(verdicts.get(`${cycles}, × the best that keeps them on disk`), "0.83 missed");
  assert.equal(verdicts.get(`${cycles}, × the best in memory`), "1.25 met");
  assert.match(tableOf(results), /\*\*Not measured:\*\*\n\n- sqslite: speaks Query only/);
});

test("whatever of ours is lost or doubled makes the run wrong, and a rival's does not", () => {
  const lost = { sqs: 0, courier: 1 };
  assert.ok(isWrong(resultsOf({ doors: { rounds: {}, lost } })));
  assert.ok(isWrong(resultsOf({ lags: [{ target: "a queue", ms: SPREAD, lost: 0, twice: 1 }] })));
  const byKey = { [OURS]: [cycled(1)], sqslite: [{ ...cycled(1), lost: 3 }] };
  assert.ok(!isWrong(resultsOf({ cycles: { ways: [], rounds: { way: byKey }, missing: [] } })));
});

function resultsOf(some: Partial<Results>): Results {
  const machine = { date: "", cpu: "", cores: 2, memoryGib: 8, node: "", kernel: "", fileSystem: "", commit: "" };
  const none = { limits: null, doors: null, matching: null, flow: null, cycles: null, lags: null, missing: [] };
  return { machine, rounds: 3, ...none, ...some };
}

function accepted(perSecond: number) {
  return { perSecond, cpuUs: 100, ms: SPREAD };
}

function cycled(perSecond: number): Cycled {
  return { perSecond, cpuUs: 100, messages: 1, tookMs: 1, lost: 0, twice: 0, empty: 0 };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FULL_KEY, givenHouse } from "../given-http.ts";
import { type AwsCall, awsCall, KNOWN, patternText } from "./aws.ts";

const CALLS = 1_500;
const SEED = 1;
/** No answer within this is a hang. */
const ANSWER_MS_MAX = 5_000;

test(`${CALLS} hostile calls of AWS' protocols, and as many patterns: no 5xx, no hang, and the door works afterwards`, async (t) => {
  const settings = {
    version: "0.1.0",
    publicUrl: "http://127.0.0.1:3300",
    localTokenDigest: "none",
    metricsNeedKey: false,
    aws: { region: "us-east-1", publicUrl: null, anyKey: true },
  };
  await using it = await givenHouse({ settings });
  const { app, house } = it;
  const say = async ({ headers, body }: Pick<AwsCall, "headers" | "body">) =>
    await app.inject({ method: "POST", url: "/aws", headers: { ...headers, host: "127.0.0.1" }, payload: body });
  for (const fifo of [false, true]) {
    const made = await house.queues.create({ name: fifo ? "known.fifo" : "known", fifo, attributes: {}, tags: {} });
    assert.equal(made.kind, "done");
  }
  const statuses: Record<number, number> = {};
  let slowestMs = 0;
  const judged = async (call: AwsCall): Promise<void> => {
    const startMs = performance.now();
    const answer = await say(call);
    const tookMs = performance.now() - startMs;
    slowestMs = Math.max(slowestMs, tookMs);
    statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
    assert.ok(answer.statusCode < 500, `${call.action} ${answer.statusCode}: ${answer.body.slice(0, 300)}`);
    assert.ok(tookMs < ANSWER_MS_MAX, `${call.action} took ${tookMs} ms`);
  };
  await fc.assert(fc.asyncProperty(awsCall, judged), { seed: SEED, numRuns: CALLS });
  const sqs = (action: string, body: object): AwsCall => ({
    service: "sqs",
    action,
    headers: {
      "authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request",
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `AmazonSQS.${action}`,
    },
    body: JSON.stringify(body),
  });
  await fc.assert(
    fc.asyncProperty(patternText, fc.json(), async (pattern, event) => {
      const call = sqs("TestEventPattern", { EventPattern: pattern, Event: event });
      const headers = { ...call.headers, "x-amz-target": "AWSEvents.TestEventPattern" };
      await judged({ ...call, headers: { ...headers, "content-type": "application/x-amz-json-1.1" } });
    }),
    { seed: SEED, numRuns: CALLS },
  );
  assert.deepEqual(it.complaints, [], "it complains of nothing");
  for (const [action, body] of [
    ["CreateQueue", { QueueName: "after" }],
    ["SendMessage", { QueueUrl: KNOWN.url.replace("known", "after"), MessageBody: "still there" }],
  ] as const) {
    const answer = await say(sqs(action, body));
    assert.equal(answer.statusCode, 200, answer.body);
  }
  const received = await say(
    sqs("ReceiveMessage", { QueueUrl: KNOWN.url.replace("known", "after"), MaxNumberOfMessages: 10 }),
  );
  const { Messages } = JSON.parse(received.body) as { readonly Messages: readonly { readonly Body: string }[] };
  assert.deepEqual(
    Messages.map(({ Body }) => Body),
    ["still there"],
  );
  assert.ok((statuses[200] ?? 0) > 50 && (statuses[400] ?? 0) > 50, `answers: ${JSON.stringify(statuses)}`);
  t.diagnostic(`${JSON.stringify(statuses)}, the slowest in ${Math.round(slowestMs)} ms`);
});

test("a refused event or message is not kept, whatever stands in it", async () => {
  await using it = await givenHouse();
  const { house, app } = it;
  const { last } = await house.store.journalBounds();
  let kept = 0;
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.string(), async (body, type) => {
      const answer = await app.inject({
        method: "POST",
        url: "/events",
        headers: {
          "authorization": `Bearer ${FULL_KEY}`,
          "content-type": "application/cloudevents+json",
          "ce-type": encodeURIComponent(type),
        },
        payload: body,
      });
      assert.ok(answer.statusCode < 500, `${answer.statusCode}: ${answer.body.slice(0, 300)}`);
      if (answer.statusCode < 300) kept += 1;
    }),
    { seed: SEED, numRuns: 500 },
  );
  assert.equal((await house.store.journalBounds()).last - last, kept);
  assert.deepEqual(it.complaints, []);
});

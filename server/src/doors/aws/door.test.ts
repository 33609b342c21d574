import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, test } from "node:test";
import { CreateQueueCommand, ListQueuesCommand, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { AWS_BODY_BYTES_MAX } from "#doors/aws/door.ts";
import { SQS } from "#doors/aws/services.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { systemClock } from "#drivers/system/clock.ts";
import { StoreFault } from "#ports/store.ts";
import { FULL_KEY } from "../../../test/given-http.ts";
import {
  type GivenAws,
  givenAws,
  inXml,
  queryCall,
  READ_PAIR,
  REVOKED_PAIR,
  SEND_PAIR,
  sqsClient,
} from "../../../test/given-aws.ts";

const faultOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => assert.fail("this was to be refused"),
    (error: { name: string; Code?: string; $metadata: { httpStatusCode?: number } }) =>
      `${error.name} ${error.Code ?? ""} ${error.$metadata.httpStatusCode}`,
  );

describe("in the Query protocol, as boto3 of Debian 12 speaks it", () => {
  test("a message goes its whole way", async () => {
    await using given = await givenAws();
    const call = async (fields: Record<string, string>, path?: string) =>
      await queryCall(given, { fields, ...(path === undefined ? {} : { path }) });
    const made = await call({
      "Action": "CreateQueue",
      "QueueName": "orders",
      "Attribute.1.Name": "VisibilityTimeout",
      "Attribute.1.Value": "0",
      "Tag.1.Key": "team",
      "Tag.1.Value": "shop",
    });
    const QueueUrl = inXml(made.xml, "QueueUrl") ?? "";
    assert.deepEqual([made.status, QueueUrl], [200, `${given.endpoint}/000000000000/orders`]);
    assert.equal(made.headers.get("content-type"), "text/xml");
    assert.equal(made.headers.get("content-length"), String(Buffer.byteLength(made.xml)));
    assert.equal(inXml(made.xml, "RequestId"), made.headers.get("x-amzn-requestid"));
    assert.ok(made.headers.get("date") !== null);
    assert.match(
      made.xml,
      /<CreateQueueResponse xmlns="http:\/\/queue.amazonaws.com\/doc\/2012-11-05\/"><CreateQueueResult>/,
    );
    assert.match(
      (await call({ Action: "ListQueueTags", QueueUrl })).xml,
      /<Tag><Key>team<\/Key><Value>shop<\/Value><\/Tag>/,
    );

    const MessageBody = " a <b> & \r\n ü+% ";
    const sent = await call({
      "Action": "SendMessage",
      QueueUrl,
      MessageBody,
      "MessageAttribute.1.Name": "city",
      "MessageAttribute.1.Value.DataType": "String",
      "MessageAttribute.1.Value.StringValue": "Oslo",
    });
    assert.equal(inXml(sent.xml, "MD5OfMessageAttributes"), "cbcd83b13b0b49717b14e6ca985fc6b7");
    const received = await call({
      "Action": "ReceiveMessage",
      QueueUrl,
      "AttributeName.1": "SentTimestamp",
      "MessageAttributeName.1": "All",
    });
    assert.equal(inXml(received.xml, "Body"), MessageBody);
    assert.equal(inXml(received.xml, "MD5OfBody"), inXml(sent.xml, "MD5OfMessageBody"));
    assert.match(received.xml, /<Attribute><Name>SentTimestamp<\/Name><Value>\d{13}<\/Value><\/Attribute>/);
    assert.match(
      received.xml,
      /<MessageAttribute><Name>city<\/Name><Value><StringValue>Oslo<\/StringValue><DataType>String<\/DataType><\/Value><\/MessageAttribute>/,
    );
    const ReceiptHandle = inXml(received.xml, "ReceiptHandle") ?? "";
    const gone = await call({ Action: "DeleteMessage", QueueUrl, ReceiptHandle });
    assert.match(gone.xml, /^<\?xml version="1.0"\?>\n<DeleteMessageResponse xmlns="[^"]+"><ResponseMetadata>/);
    assert.equal(inXml((await call({ Action: "ReceiveMessage", QueueUrl })).xml, "Body"), null);
  });

  test("a batch answers for each entry, and its numbers tell the order", async () => {
    await using given = await givenAws();
    await queryCall(given, { fields: { Action: "CreateQueue", QueueName: "q" } });
    const { xml } = await queryCall(given, {
      path: "/aws/000000000000/q",
      fields: {
        "Action": "SendMessageBatch",
        "SendMessageBatchRequestEntry.10.Id": "last",
        "SendMessageBatchRequestEntry.10.MessageBody": "x",
        "SendMessageBatchRequestEntry.2.Id": "first",
        "SendMessageBatchRequestEntry.2.MessageBody": "x",
        "SendMessageBatchRequestEntry.3.Id": "bad",
        "SendMessageBatchRequestEntry.3.MessageBody": "\u0001",
      },
    });
    assert.deepEqual(
      [...xml.matchAll(/<Id>(\w+)<\/Id>/g)].map(([, id]) => id),
      ["first", "last", "bad"],
    );
    assert.match(
      xml,
      /<BatchResultErrorEntry><Id>bad<\/Id><Code>InvalidMessageContents<\/Code><Message>[^<]+<\/Message><SenderFault>true<\/SenderFault><\/BatchResultErrorEntry>/,
    );
    const empty = await queryCall(given, {
      path: "/aws/000000000000/q",
      fields: { Action: "SendMessageBatch", SendMessageBatchRequestEntry: "" },
    });
    assert.equal(inXml(empty.xml, "Code"), "AWS.SimpleQueueService.EmptyBatchRequest");
  });

  test("everything may stand in the query of a GET, and the path may name the queue", async () => {
    await using given = await givenAws();
    await queryCall(given, { fields: { Action: "CreateQueue", QueueName: "q" } });
    const sent = await queryCall(given, {
      method: "GET",
      path: "/aws/000000000000/q",
      fields: { Action: "SendMessage", MessageBody: "a b+c" },
    });
    assert.equal(sent.status, 200);
    const got = await queryCall(given, { path: "/aws/000000000000/q", fields: { Action: "ReceiveMessage" } });
    assert.equal(inXml(got.xml, "Body"), "a b+c");
  });

  test("refusals are XML with type, code and request id", async () => {
    await using given = await givenAws();
    const refused = async (fields: Record<string, string>): Promise<string> => {
      const { status, xml, headers } = await queryCall(given, { fields });
      assert.match(xml, /<ErrorResponse xmlns="[^"]+"><Error><Type>Sender<\/Type>.*<Detail\/><\/Error><RequestId>/s);
      assert.equal(inXml(xml, "RequestId"), headers.get("x-amzn-requestid"));
      return `${status} ${inXml(xml, "Code")} ${inXml(xml, "Message")}`;
    };
    const QueueUrl = "http://anywhere/000000000000/nope";
    assert.equal(
      await refused({ Action: "SendMessage", QueueUrl, MessageBody: "x" }),
      "400 AWS.SimpleQueueService.NonExistentQueue The specified queue does not exist for this wsdl version.",
    );
    assert.match(await refused({ Action: "Dance" }), /^400 InvalidAction /);
    assert.match(await refused({}), /^400 InvalidAction /);
    assert.match(await refused({ Action: "CreateQueue" }), /^400 MissingParameter .*QueueName/);
    assert.match(await refused({ Action: "SendMessage" }), /^400 MissingParameter .*QueueUrl/);
    assert.match(
      await refused({ Action: "ReceiveMessage", QueueUrl, WaitTimeSeconds: "soon" }),
      /^400 InvalidParameterValue .*WaitTimeSeconds/,
    );
  });
});

describe("whoever may not come in is told so, in his own protocol", () => {
  const LIST = { Action: "ListQueues" };

  test("in Query", async () => {
    await using given = await givenAws();
    const verdict = async (wish: Partial<Parameters<typeof queryCall>[1]>): Promise<string> => {
      const { status, xml } = await queryCall(given, { fields: LIST, ...wish });
      return `${status} ${inXml(xml, "Code")}`;
    };
    assert.equal(await verdict({ secret: "wrong" }), "403 SignatureDoesNotMatch");
    assert.equal(await verdict({ accessKeyId: "TKIAUNKNOWNUNKNOWNUN" }), "403 InvalidClientTokenId");
    assert.equal(await verdict({ accessKeyId: "AKIDEXAMPLE" }), "403 InvalidClientTokenId");
    assert.equal(await verdict({ accessKeyId: REVOKED_PAIR }), "403 InvalidClientTokenId");
    assert.equal(await verdict({ dateMs: Date.now() - 6 * 60_000 }), "403 SignatureDoesNotMatch");
    assert.equal(await verdict({ dateMs: Date.now() + 6 * 60_000 }), "403 SignatureDoesNotMatch");
    const unsigned = await fetch(`${given.endpoint}/?Action=ListQueues`);
    assert.deepEqual([unsigned.status, inXml(await unsigned.text(), "Code")], [403, "MissingAuthenticationToken"]);
    const bearer = await fetch(`${given.endpoint}/?Action=ListQueues`, {
      headers: { authorization: `Bearer ${FULL_KEY}` },
    });
    assert.deepEqual([bearer.status, inXml(await bearer.text(), "Code")], [400, "IncompleteSignature"]);
  });

  test("in JSON, under both names", async () => {
    await using given = await givenAws();
    const verdict = async (accessKeyId?: string, secret?: string): Promise<string> => {
      const client = sqsClient(given, accessKeyId);
      if (secret !== undefined)
        client.config.credentials = async () => ({ accessKeyId: SEND_PAIR, secretAccessKey: secret });
      return await faultOf(client.send(new ListQueuesCommand({})));
    };
    assert.equal(await verdict("TKIAUNKNOWNUNKNOWNUN"), "InvalidClientTokenId InvalidClientTokenId 403");
    assert.equal(await verdict(SEND_PAIR, "wrong"), "SignatureDoesNotMatch SignatureDoesNotMatch 403");
    const headers = { "x-amz-target": "AmazonSQS.ListQueues", "content-type": "application/x-amz-json-1.0" };
    const unsigned = await fetch(given.endpoint, { method: "POST", headers, body: "{}" });
    assert.equal(unsigned.status, 403);
    assert.equal(unsigned.headers.get("x-amzn-query-error"), "MissingAuthenticationToken;Sender");
    assert.match(await unsigned.text(), /"__type":"com.amazonaws.sqs#MissingAuthenticationTokenException"/);
  });

  test("a pair may do what its scopes say", async () => {
    await using given = await givenAws();
    const [full, sender, reader] = [sqsClient(given), sqsClient(given, SEND_PAIR), sqsClient(given, READ_PAIR)];
    const { QueueUrl } = await full.send(new CreateQueueCommand({ QueueName: "q" }));
    await sender.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
    assert.equal((await reader.send(new ListQueuesCommand({}))).QueueUrls?.length, 1);
    const denied = "AccessDenied AccessDenied 403";
    assert.equal(await faultOf(sender.send(new ReceiveMessageCommand({ QueueUrl }))), denied);
    assert.equal(await faultOf(sender.send(new CreateQueueCommand({ QueueName: "other" }))), denied);
    assert.equal(await faultOf(reader.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }))), denied);
  });

  test("a pair that is revoked is refused from then on", async () => {
    await using given = await givenAws();
    const client = sqsClient(given, SEND_PAIR);
    assert.equal(await faultOf(client.send(new ListQueuesCommand({}))), "AccessDenied AccessDenied 403");
    const revoked = await given.app.inject({
      method: "DELETE",
      url: `/admin/keys/${SEND_PAIR.slice(0, 12)}`,
      headers: { authorization: `Bearer ${FULL_KEY}` },
    });
    assert.equal(revoked.statusCode, 204);
    assert.equal(
      await faultOf(client.send(new ListQueuesCommand({}))),
      "InvalidClientTokenId InvalidClientTokenId 403",
    );
  });

  test("a pair made over HTTP opens the door", async () => {
    await using given = await givenAws();
    const made = await given.app.inject({
      method: "POST",
      url: "/admin/keys",
      headers: { authorization: `Bearer ${FULL_KEY}` },
      payload: { aws: true },
    });
    const { access_key_id: accessKeyId, secret_access_key: secret, name, aws } = made.json<Record<string, string>>();
    assert.deepEqual([made.statusCode, name, aws], [201, "aws", true]);
    const { status } = await queryCall(given, { fields: LIST, accessKeyId: accessKeyId ?? "", secret: secret ?? "" });
    assert.equal(status, 200);
  });

  test("for development any signature in the header will do, on loopback only, and no link will", async () => {
    const settings = { version: "0", publicUrl: "http://x", localTokenDigest: null, metricsNeedKey: false };
    await using given = await givenAws({
      settings: { ...settings, aws: { region: "us-east-1", publicUrl: null, anyKey: true } },
    });
    const { status } = await queryCall(given, { fields: LIST, accessKeyId: "test", secret: "test" });
    assert.equal(status, 200);
    const presigned =
      "/aws/?Action=ListQueues&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20240506%2Fus-east-1%2Fsqs%2Faws4_request" +
      `&X-Amz-Date=20240506T070809Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=${"0".repeat(64)}`;
    assert.equal((await given.app.inject(presigned)).statusCode, 403);
    assert.equal((await given.app.inject("/aws/?Action=ListQueues")).statusCode, 403);
    const headers = {
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20240506/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x",
    };
    const of = async (host: string) =>
      (await given.app.inject({ url: "/aws/?Action=ListQueues", headers: { ...headers, host } })).statusCode;
    assert.deepEqual([await of("localhost:3300"), await of("[::1]"), await of("evil.example")], [200, 200, 400]);
  });
});

describe("the door", () => {
  test("answers what is no call of AWS' clients in JSON of its kind", async () => {
    await using given = await givenAws();
    const post = async (headers: Record<string, string>) => {
      const response = await given.app.inject({ method: "POST", url: "/aws", headers, payload: "{}" });
      return `${response.statusCode} ${response.json<{ __type: string }>().__type}`;
    };
    const type = "application/x-amz-json-1.0";
    const unknown = "400 com.amazonaws.sqs#UnknownOperationException";
    assert.equal(await post({ "content-type": type }), unknown);
    assert.equal(await post({ "content-type": type, "x-amz-target": "DynamoDB_20120810.GetItem" }), unknown);
    assert.equal(
      (await given.app.inject({ method: "PUT", url: "/aws/x" })).headers["allow"],
      "GET, POST, HEAD, OPTIONS",
    );
    assert.equal((await given.app.inject({ url: "/awsx" })).statusCode, 404);
  });

  test("tells JSON that cannot be read, and members of another type", async () => {
    await using given = await givenAws({});
    const client = sqsClient(given);
    // Changes the body before it is signed.
    const withBody = (body: string): Promise<string> => {
      const other = sqsClient(given);
      other.middlewareStack.add(
        (next) => (args) => {
          const { request: sent } = args as { request: { body: string; headers: Record<string, string> } };
          sent.body = body;
          sent.headers["content-length"] = String(Buffer.byteLength(body));
          return next(args);
        },
        { step: "build", priority: "low" },
      );
      return faultOf(other.send(new ListQueuesCommand({})));
    };
    const unreadable = "SerializationException SerializationException 400";
    assert.equal(await withBody("{"), unreadable);
    assert.equal(await withBody("[]"), unreadable);
    assert.equal(await withBody('{"MaxResults":"many"}'), unreadable);
    assert.equal(await withBody('{"MaxResults":0}'), "InvalidParameterValue InvalidParameterValue 400");
    assert.deepEqual((await client.send(new ListQueuesCommand({}))).QueueUrls, undefined);
  });

  test("refuses a body that is too large, and a batch of 1 MiB in percent-encoding is not", async () => {
    await using given = await givenAws();
    await queryCall(given, { fields: { Action: "CreateQueue", QueueName: "q" } });
    const QueueUrl = "q";
    const huge = await queryCall(given, {
      fields: { Action: "SendMessage", QueueUrl, MessageBody: "x".repeat(AWS_BODY_BYTES_MAX) },
    });
    assert.deepEqual([huge.status, inXml(huge.xml, "Code")], [413, "RequestEntityTooLarge"]);
    const full = await queryCall(given, {
      fields: { Action: "SendMessage", QueueUrl, MessageBody: "\n".repeat(1024 * 1024) },
    });
    assert.equal(full.status, 200);
  });

  test("says 503 when the store cannot, so that SDKs come again, and 500 for a bug, which is logged", async () => {
    await using given = await givenAws();
    const broken = (fault: Error): HttpHouse["queues"] => ({
      ...given.house.queues,
      list: () => Promise.reject(fault),
    });
    for (const [fault, expected] of [
      [new StoreFault("store.failed", "no disk"), "503 ServiceUnavailable Receiver"],
      [new Error("a bug"), "500 InternalFailure Receiver"],
    ] as const) {
      await using other = await givenAws({ store: openMemoryStore({ clock: systemClock() }), queues: broken(fault) });
      const { status, xml } = await queryCall(other, { fields: { Action: "ListQueues" } });
      assert.equal(`${status} ${inXml(xml, "Code")} ${inXml(xml, "Type")}`, expected);
      assert.equal(other.complaints.length, status === 500 ? 1 : 0);
    }
  });

  test("ends long polls when it closes, with an answer", async () => {
    const given = await givenAws();
    const client = sqsClient(given);
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "q" }));
    const arrived = once(given.app.server, "request");
    const waiting = client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    await arrived;
    await client.send(new ListQueuesCommand({}));
    await given[Symbol.asyncDispose]();
    assert.equal((await waiting).Messages, undefined);
    client.destroy();
  });

  test("answers Expect: 100-continue", async () => {
    await using given = await givenAws();
    const call = request(`${given.endpoint}/`, {
      method: "POST",
      headers: { expect: "100-continue", connection: "close" },
    });
    const [continued, answered] = [once(call, "continue"), once(call, "response")];
    call.flushHeaders();
    await continued;
    call.end("Action=ListQueues");
    const [response] = (await answered) as [IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, 403);
  });

  test("names queues by the public URL to whoever comes by it, and by their own way to others", async () => {
    const settings = { version: "0", publicUrl: "http://x", localTokenDigest: null, metricsNeedKey: false };
    await using given = await givenAws({
      settings: { ...settings, aws: { region: "us-east-1", publicUrl: "https://q.example", anyKey: true } },
    });
    const urlFor = async (given_: GivenAws): Promise<string | null> =>
      inXml((await queryCall(given_, { fields: { Action: "CreateQueue", QueueName: "q" } })).xml, "QueueUrl");
    assert.equal(await urlFor(given), `${given.endpoint}/000000000000/q`);
  });
});

describe("whatever is asked", () => {
  /** Names and values that somebody writes who has half understood the protocol. */
  const part = fc.constantFrom(
    ...["Attribute", "Name", "Value", "1", "2", "0", "01", "Entries", "Tag", "Key", "MessageAttribute", "DataType", ""],
    ...[
      "SendMessageBatchRequestEntry",
      "DeleteMessageBatchRequestEntry",
      "Id",
      "MessageBody",
      "StringValue",
      "__proto__",
    ],
  );
  const value = fc.oneof(
    fc.constantFrom("", "q", "All", "String", "Number", "Binary", "-1", "99999999999999999999", "true", "{}", "AP8="),
    fc.constantFrom(
      '{"deadLetterTargetArn":"arn:aws:sqs:x:y:q","maxReceiveCount":1e999}',
      '{"maxReceiveCount":[]}',
      "\u0000",
    ),
    fc.string({ unit: "grapheme", maxLength: 6 }).filter((text) => text.isWellFormed()),
  );
  const plain = fc.constantFrom(
    ...[
      "QueueUrl",
      "QueueName",
      "MessageBody",
      "ReceiptHandle",
      "VisibilityTimeout",
      "MaxResults",
      "NextToken",
      "SourceArn",
    ],
    ...["TaskHandle", "DelaySeconds", "MessageGroupId", "MaxNumberOfMessages", "Attributes", "Entries", "Tags", "tags"],
  );
  const SQS_ACTIONS = fc.constantFrom(...SQS.actions.keys());

  test("in Query, it is answered, and never by a fault of ours", async () => {
    await using given = await givenAws();
    await queryCall(given, { fields: { Action: "CreateQueue", QueueName: "q" } });
    const name = fc.oneof(
      plain,
      fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(".")),
    );
    const fields = fc.dictionary(name, value, { maxKeys: 8, noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(SQS_ACTIONS, fields, async (Action, some) => {
        const { status, xml } = await queryCall(given, {
          fields: { QueueUrl: "q", ...some, Action, WaitTimeSeconds: "0" },
        });
        assert.ok(status === 200 || (status < 500 && inXml(xml, "Code") !== null), `${status} ${xml}`);
      }),
      { numRuns: 400 },
    );
    assert.deepEqual(given.complaints, []);
  });

  test("in JSON, it is answered, and never by a fault of ours", async () => {
    await using given = await givenAws({
      settings: {
        version: "0",
        publicUrl: "http://x",
        localTokenDigest: null,
        metricsNeedKey: false,
        aws: { region: "us-east-1", publicUrl: null, anyKey: true },
      },
    });
    const json = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        value,
        fc.constantFrom(null, true, 0, -1, 1.5, 1e300),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(fc.oneof(plain, part), tie("any"), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).any;
    const body = fc.dictionary(fc.oneof(plain, part), json, { maxKeys: 6, noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(SQS_ACTIONS, body, async (name, some) => {
        const answer = await given.app.inject({
          method: "POST",
          url: "/aws/",
          headers: {
            "host": "localhost",
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": `AmazonSQS.${name}`,
            "authorization": "AWS4-HMAC-SHA256 Credential=x/20240506/us-east-1/sqs/aws4_request",
          },
          payload: JSON.stringify({ QueueUrl: "q", ...some, WaitTimeSeconds: 0 }),
        });
        assert.ok(answer.statusCode < 500, answer.body);
        assert.ok(answer.statusCode === 200 || /#[A-Z]\w+$/.test(answer.json<{ __type: string }>().__type));
      }),
      { numRuns: 400 },
    );
    assert.deepEqual(given.complaints, []);
  });
});

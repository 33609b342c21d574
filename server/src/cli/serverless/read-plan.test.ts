import assert from "node:assert/strict";
import { test } from "node:test";
import { readPlan } from "#cli/serverless/read-plan.ts";
import type { Plan } from "#cli/serverless/plan.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);

function planOf(yaml: string): Plan {
  const read = readPlan(yaml, NOW);
  assert(read.kind === "plan", read.kind === "fault" ? `${read.line}: ${read.says}` : "");
  return read.plan;
}

/** One function with the given events, as YAML below `events:`. */
const withEvents = (events: string, more = ""): string => `service: shop
functions:
  work:
    handler: src/work.handler
    events:
${events.replaceAll(/^/gm, "      ")}
${more}`;

const triggersOf = (events: string, more = "") => planOf(withEvents(events, more)).functions.map(({ on }) => on);
const gapsOf = (plan: Plan) => plan.gaps.map(({ line, says }) => `${line} ${says}`);

test("a queue is known by GetAtt, by Sub, by Join, by ARN, by import and by its logical id", () => {
  const queues = `resources:
  Resources:
    Orders: { Type: "AWS::SQS::Queue", Properties: { QueueName: "\${self:service}-orders-\${sls:stage}" } }
    Plain: { Type: "AWS::SQS::Queue" }
    First: { Type: "AWS::SQS::Queue", Properties: { FifoQueue: true } }`;
  const named = (arn: string) =>
    triggersOf(`- sqs:\n    arn: ${arn}`, queues).map((on) => on.kind === "queue" && on.queue);
  assert.deepEqual(named("!GetAtt Orders.Arn"), ["shop-orders-dev"]);
  assert.deepEqual(named("{ Fn::GetAtt: [Orders, Arn] }"), ["shop-orders-dev"]);
  assert.deepEqual(named("!Sub arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders-${self:custom.x, 'b'}"), [
    "orders-b",
  ]);
  assert.deepEqual(named("!Sub '${Orders.Arn}'"), ["shop-orders-dev"]);
  assert.deepEqual(named('!Join [":", ["arn:aws:sqs", !Ref AWS::Region, "1", "bills"]]'), ["bills"]);
  assert.deepEqual(named("arn:aws:sqs:eu-west-1:123456789012:bills"), ["bills"]);
  assert.deepEqual(named("!GetAtt Plain.Arn"), ["Plain"]);
  assert.deepEqual(named("!GetAtt First.Arn"), ["First.fifo"]);
  const plan = planOf(withEvents("- sqs: !ImportValue other-queue", queues));
  assert.deepEqual(plan.functions, []);
  assert.deepEqual(gapsOf(plan), [
    "3 work: nothing starts it; no file is made",
    "6 ImportValue is not known here; write what it stands for",
    "6 it is not known which queue it is",
  ]);
});

test("each trigger of a serverless.yml is the one that does the same here", () => {
  assert.deepEqual(triggersOf("- http: POST api/orders/{order-id}"), [
    { kind: "http", method: "POST", path: "/api/orders/:order_id", auth: "none" },
  ]);
  assert.deepEqual(triggersOf("- http: { path: api/a, method: get, private: true }"), [
    { kind: "http", method: "GET", path: "/api/a", auth: "key" },
  ]);
  const cors = (value: string) =>
    triggersOf(`- http: { path: api/a, method: get, cors: ${value} }`).map((on) => (on.kind === "http" ? on.cors : on));
  assert.deepEqual(cors("true"), [["*"]]);
  assert.deepEqual(cors("false"), [undefined]);
  assert.deepEqual(cors("{ origin: 'https://shop.example', headers: [x] }"), [["https://shop.example"]]);
  assert.deepEqual(triggersOf("- httpApi: 'DELETE /users/{id}'"), [
    { kind: "http", method: "DELETE", path: "/api/users/:id", auth: "none" },
  ]);
  assert.deepEqual(
    triggersOf("- eventBridge: { eventBus: arn:aws:events:us-east-1:1:event-bus/shop, pattern: { source: [till] } }"),
    [{ kind: "event", pattern: { source: ["till"] }, bus: "shop" }],
  );
  assert.deepEqual(triggersOf("- cloudwatchEvent: { event: { source: [aws.ec2] } }"), [
    { kind: "event", pattern: { source: ["aws.ec2"] }, bus: "default" },
  ]);
  assert.deepEqual(triggersOf("- sns: news"), [
    { kind: "event", pattern: { "detail-type": ["news"] }, bus: "default" },
  ]);
  assert.deepEqual(triggersOf("- s3: { bucket: photos, rules: [{ prefix: in/ }] }"), [
    { kind: "blob", prefix: "photos/in/" },
  ]);
  assert.deepEqual(
    triggersOf(`- stream:
    arn: !GetAtt Table.StreamArn
    batchSize: 1
    parallelizationFactor: 5
    startingPosition: TRIM_HORIZON
    bisectBatchOnFunctionError: true
    maximumRecordAgeInSeconds: 60`),
    [
      {
        ...{ kind: "stream", batchSize: 1, parallelizationFactor: 5, bisectOnError: true },
        ...{ maxAgeMs: 60_000, startFrom: "earliest", filter: null },
      },
    ],
  );
  assert.deepEqual(
    triggersOf("- sqs: { arn: a:sqs:q, filterPatterns: [{ body: { n: [1] } }, { body: { n: [2] } }] }"),
    [{ kind: "queue", queue: "a-sqs-q", batchSize: 10, filter: { $or: [{ body: { n: [1] } }, { body: { n: [2] } }] } }],
  );
});

test("a schedule of AWS is the same time here: question marks, Sunday as 1, and the year go", () => {
  const when = (text: string) =>
    triggersOf(`- schedule: ${text}`).map((on) =>
      on.kind === "schedule" && on.when.kind === "cron" ? on.when.expression : on,
    );
  assert.deepEqual(when("cron(0 8 ? * 2-6 *)"), ["0 8 * * 1-5"]);
  assert.deepEqual(when("cron(15 10 ? * 1,7 *)"), ["15 10 * * 0,6"]);
  assert.deepEqual(when("cron(0 9 ? * 2#1 *)"), ["0 9 * * 1#1"]);
  assert.deepEqual(when("cron(0 9 ? * MON-FRI *)"), ["0 9 * * MON-FRI"]);
  assert.deepEqual(when("cron(0 12 1 * ? *)"), ["0 12 1 * *"]);
  assert.deepEqual(triggersOf("- schedule: rate(10 minutes)"), [
    { kind: "schedule", when: { kind: "rate", everyMs: 600_000 }, timeZone: "UTC" },
  ]);
  assert.deepEqual(triggersOf("- schedule: { rate: [rate(1 hour), cron(0 1 * * ? *)], timezone: Europe/Berlin }"), [
    { kind: "schedule", when: { kind: "rate", everyMs: 3_600_000 }, timeZone: "Europe/Berlin" },
    { kind: "schedule", when: { kind: "cron", expression: "0 1 * * *" }, timeZone: "Europe/Berlin" },
  ]);
  const plan = planOf(withEvents("- schedule: cron(0 8 1 1 ? 2027)\n- schedule: at midnight"));
  assert.equal(plan.functions.length, 0);
  assert.match(gapsOf(plan).join("\n"), /^6 cron\(0 8 1 1 \? 2027\): .*five fields[\s\S]*^7 at midnight: /m);
});

test("a function with several triggers is several files, whose names tell them apart", () => {
  const plan = planOf(withEvents("- sqs: a:sqs:q\n- sqs: a:sqs:p\n- schedule: rate(1 day)"));
  assert.deepEqual(
    plan.functions.map(({ path, line }) => `${line} ${path}`),
    ["6 work/queue", "7 work/queue-2", "8 work/schedule"],
  );
});

test("numbers of a function are taken over, within what is possible here", () => {
  const [one] = planOf(`functions:
  work: { handler: a.b, timeout: 6, memorySize: 10240, reservedConcurrency: 3, events: [{ sqs: "x:sqs:q" }] }`).functions;
  assert.deepEqual(one?.options, { timeoutMs: 6_000, memoryMb: 4_096, concurrency: 3 });
  const plan = planOf(withEvents("- sqs: { arn: x, batchSize: 5000 }"));
  assert.deepEqual(gapsOf(plan), ["6 5000 is 1000 here: from 1 to 1000"]);
});

test("what has no like here is told with its line, and the rest is made", () => {
  const plan = planOf(`service: shop
plugins: [serverless-offline]
stepFunctions: {}
functions:
  chat: { handler: a.b, events: [{ websocket: $connect }], destinations: { onSuccess: other } }
  remove: { handler: a.b, events: [{ s3: { bucket: b, event: "s3:ObjectRemoved:*" } }] }
  all: { handler: a.b, events: [{ http: ANY api/all }, { http: "GET api/{proxy+}" }] }
  again: { handler: a.b, events: [{ http: POST api/all }] }
  off: { handler: a.b, events: [{ schedule: { rate: rate(1 day), enabled: false } }] }
resources:
  Resources:
    Files: { Type: "AWS::S3::Bucket", Properties: { NotificationConfiguration: {} } }
    Lost: { Type: "AWS::Events::Rule", Properties: { EventPattern: { source: [a] }, Targets: [{ Arn: !GetAtt XLambdaFunction.Arn }] } }
    Cache: { Type: "AWS::ElastiCache::CacheCluster" }
    Role: { Type: "AWS::IAM::Role" }`);
  assert.deepEqual(
    plan.functions.map(({ path, on }) => [path, on.kind === "http" ? on.path : ""]),
    [["all", "/api/all"]],
  );
  assert.deepEqual(gapsOf(plan), [
    "2 plugins are not known here",
    "3 stepFunctions is not taken over",
    "5 chat: destinations is not taken over",
    "5 there is no trigger like websocket here",
    "5 chat: nothing starts it; no file is made",
    "6 s3:ObjectRemoved:*: a function is started by files that are put, and by nothing else",
    "6 remove: nothing starts it; no file is made",
    "7 the method ANY: made for POST; copy the file for others",
    "7 the path api/{proxy+} stands for many; write one file for each path",
    "8 POST /api/all is taken by line 7",
    "9 the trigger schedule is not enabled; left out",
    "9 off: nothing starts it; no file is made",
    "12 Files: give its function the trigger s3 instead",
    "13 its target XLambdaFunction is no function of this file",
    "14 Cache: there is nothing like AWS::ElastiCache::CacheCluster here",
  ]);
});

test("queues keep their numbers and their dead letters, tables their key and their indexes", () => {
  const { queues, collections } = planOf(`resources:
  Resources:
    Work:
      Type: AWS::SQS::Queue
      Properties:
        VisibilityTimeout: 60
        DelaySeconds: "5"
        RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
    Dead: { Type: "AWS::SQS::Queue", Properties: { QueueName: work-dead } }
    Once: { Type: "AWS::SQS::Queue", Properties: { FifoQueue: true, ContentBasedDeduplication: true } }
    Orders:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: orders
        AttributeDefinitions:
          - { AttributeName: customer, AttributeType: S }
          - { AttributeName: number, AttributeType: N }
          - { AttributeName: state, AttributeType: S }
        KeySchema: [{ AttributeName: customer, KeyType: HASH }, { AttributeName: number, KeyType: RANGE }]
        GlobalSecondaryIndexes: [{ IndexName: i, KeySchema: [{ AttributeName: state, KeyType: HASH }] }]`);
  assert.deepEqual(queues, [
    {
      name: "Work",
      body: { visibility_ms: 60_000, delay_ms: 5_000, dead_letter: { queue: "work-dead", receive_max: 3 } },
    },
    { name: "work-dead", body: {} },
    { name: "Once.fifo", body: { fifo: { content_dedup: true } } },
  ]);
  assert.deepEqual(collections, [
    {
      ...{ identifier: "orders", name: "orders", id: "customer/number", indexes: ["customer", "state"] },
      fields: [
        { name: "customer", type: "string" },
        { name: "number", type: "number" },
        { name: "state", type: "string" },
      ],
    },
  ]);
});

test("a rule among the resources starts a function, or is a rule for queues and buses", () => {
  const { functions, rules } = planOf(`functions:
  send-mail: { handler: a.b }
resources:
  Resources:
    Q: { Type: "AWS::SQS::Queue" }
    Mail:
      Type: AWS::Events::Rule
      Properties:
        Name: mail
        EventPattern: { source: [shop] }
        State: DISABLED
        Targets:
          - { Id: a, Arn: !GetAtt SendDashmailLambdaFunction.Arn, RetryPolicy: { MaximumRetryAttempts: 2 } }
          - Id: b
            Arn: !GetAtt Q.Arn
            InputTransformer: { InputPathsMap: { id: $.detail.id }, InputTemplate: '{"order": <id>}' }
            DeadLetterConfig: { Arn: !GetAtt Q.Arn }`);
  assert.deepEqual(
    functions.map(({ path, on, options }) => ({ path, on, options })),
    [
      {
        path: "send-mail",
        on: { kind: "event", pattern: { source: ["shop"] }, bus: "default" },
        options: { attempts: 3 },
      },
    ],
  );
  assert.deepEqual(rules, [
    {
      name: "mail",
      rule: {
        ...{ name: "mail", enabled: false, pattern: { source: ["shop"] } },
        targets: [
          {
            queue: "Q",
            transform: { paths: { id: "$.detail.id" }, template: '{"order": <id>}' },
            deadLetterQueue: "Q",
          },
        ],
      },
    },
  ]);
});

test("the environment becomes settings; secrets are never written down", () => {
  const { settings, gaps } = planOf(`service: shop
provider:
  stage: \${opt:stage, 'test'}
  environment:
    TABLE: \${self:service}-\${self:provider.stage}
    LEVEL: \${env:LOG_LEVEL, 'info'}
    DB_PASSWORD: hunter2
    API_TOKEN: \${env:TOKEN}
    HOST: \${ssm:/shop/host}
    LIST: \${self:custom.list}
custom: { list: [1, 2] }
functions: {}`);
  assert.deepEqual(Object.fromEntries(settings), {
    TABLE: { kind: "value", value: "shop-test" },
    LEVEL: { kind: "env", variable: "LOG_LEVEL", otherwise: "info" },
    DB_PASSWORD: { kind: "secret", variable: "DB_PASSWORD" },
    API_TOKEN: { kind: "secret", variable: "TOKEN" },
    HOST: { kind: "env", variable: "HOST", otherwise: "" },
    LIST: { kind: "value", value: [1, 2] },
  });
  assert.equal(JSON.stringify([...settings, ...gaps]).includes("hunter2"), false);
});

test("hostile files end with a clear fault, soon, and with no more than they may have", () => {
  const laughs = [
    "a: &a [x]",
    ..."bcdefghijk".split("").map((name, i) => {
      const before = "abcdefghij".charAt(i);
      return `${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`;
    }),
  ];
  const bad = (yaml: string) => {
    const read = readPlan(yaml, NOW);
    return read.kind === "fault" ? `${read.line} ${read.says}` : "none";
  };
  assert.match(
    bad(`functions: {}\n${laughs.join("\n")}`),
    /^\d+ it has more than 50000 values, its aliases written out$/,
  );
  assert.match(bad(`functions: ${"[".repeat(100_000)}`), /^1 it is nested too deeply$/);
  assert.match(bad(`functions: ${"[".repeat(100)}${"]".repeat(100)}`), /nested too deeply/);
  assert.match(bad("functions: &a [*a]"), /nested too deeply|anchor/);
  assert.match(bad("functions:\n  a: {b\n"), /^\d /);
  assert.match(bad("functions: {}\nfunctions: {}"), /^2 /);
  assert.match(bad("? [a]\n: b"), /a key is a text/);
  assert.match(bad("just words"), /^1 it is no serverless\.yml/);
  assert.match(bad(""), /^1 it is no serverless\.yml/);
  assert.match(bad(`functions: {}\n# ${"x".repeat(1_100_000)}`), /larger than 1 MiB/);
  const round = planOf("custom: { a: '${self:custom.b}', b: '${self:custom.a}${self:custom.a}' }\nfunctions: {}");
  assert.match(gapsOf(round).join("\n"), /leads back to itself/);
});

test("names from a file cannot become code, leave the folder, or change what every object has", () => {
  const { functions, settings, service, queues } = planOf(`service: "../../etc/x"
provider: { environment: { __proto__: bad, "a-b": "*/ \\u2028 \`\${x}" } }
functions:
  "../up": { handler: "*/ process.exit()", events: [{ sqs: 'x:sqs:"]; evil()' }] }
  __proto__: { handler: a.b, events: [{ sqs: "x:sqs:q" }] }
resources: { Resources: { "constructor": { Type: "AWS::SQS::Queue" } } }`);
  assert.equal(service, "etc-x");
  assert.deepEqual(
    functions.map(({ path }) => path),
    ["up", "proto__"],
  );
  assert.deepEqual([...settings.keys()], ["__proto__", "a-b"]);
  assert.deepEqual(
    queues.map(({ name }) => name),
    ["constructor"],
  );
});

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadFunctions } from "#drivers/threads/load.ts";
import { until } from "../support/until.ts";

/** What `tidings import` makes compiles, is tested, loads without a fault, and runs. */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAIN = join(ROOT, "server/src/cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "tidings-import-"));
// Where `tidings` is found.
symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
after(() => rmSync(folder, { recursive: true, force: true }));
const project = join(folder, "shop");

const YAML = `service: shop
provider:
  name: aws
  environment: { CUSTOMERS: "\${self:service}-customers", API_TOKEN: swordfish, ODD: "*/ \`\${x}\`" }
functions:
  register:
    handler: src/register.handler # */
    events: [{ http: { path: "api/customers", method: post } }]
  validate:
    handler: src/validate.handler
    timeout: 6
    events: [{ sqs: { arn: !GetAtt Registrations.Arn, batchSize: 20 } }]
  account:
    handler: src/account.handler
    events:
      - eventBridge: { pattern: { source: [shop], detail-type: [CustomerValidated] } }
      - schedule: cron(0 8 ? * 2-6 *)
  worker:
    handler: src/worker.handler
    events: [{ s3: { bucket: !Ref Requests, event: "s3:ObjectCreated:Put" } }]
  search:
    handler: src/search.handler
    events: [{ stream: { type: dynamodb, arn: !GetAtt Customers.StreamArn, batchSize: 1, parallelizationFactor: 5 } }]
resources:
  Resources:
    Registrations:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: registrations
        VisibilityTimeout: 60
        RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2 }
    Dead: { Type: "AWS::SQS::Queue", Properties: { QueueName: registrations-dead } }
    Requests: { Type: "AWS::S3::Bucket" }
    Customers:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: \${self:service}-customers
        AttributeDefinitions: [{ AttributeName: id, AttributeType: S }, { AttributeName: e-mail, AttributeType: S }]
        KeySchema: [{ AttributeName: id, KeyType: HASH }]
        GlobalSecondaryIndexes: [{ IndexName: i, KeySchema: [{ AttributeName: e-mail, KeyType: HASH }] }]
    Copy:
      Type: AWS::Events::Rule
      Properties:
        EventPattern: { source: [shop] }
        Targets: [{ Id: a, Arn: !GetAtt Dead.Arn }]
`;

test("a serverless.yml becomes a project that compiles, is tested, and loads without a fault", async () => {
  writeFileSync(join(folder, "serverless.yml"), YAML);
  const { stdout } = await run(process.execPath, [MAIN, "import", "serverless.yml"], { cwd: folder });
  assert.match(stdout, /6 functions, 2 queues, 1 rule, 1 collection\. The handlers are to be written\./);
  assert.match(stdout, /serverless\.yml:4 {2}API_TOKEN looks like a secret/);
  assert.match(stdout, /serverless\.yml:23 {2}the stream of Customers is the journal here/);
  assert.match(stdout, /cd shop\n {2}npm install\n {2}npm test\n {2}npm run dev\n$/);
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const compiled = await run(process.execPath, [tsc, "-p", ".", "--types", "node", "--skipLibCheck"], {
    cwd: project,
  }).catch((error: unknown) => error as { readonly stdout: string });
  assert.equal(compiled.stdout, "");
  // Without what this runner tells its own children.
  const env = { PATH: process.env["PATH"], HOME: folder };
  const tested = await run(process.execPath, [MAIN, "test"], { cwd: project, env });
  assert.match(tested.stdout, /✔ what starts each function is what was imported/);
  const { functions, faults } = await loadFunctions({
    ...{ folder: join(project, "functions"), root: project, settings: {}, secrets: {} },
  });
  assert.deepEqual(faults, []);
  assert.deepEqual(
    functions.map(({ name, on }) => `${name} ${on.kind}`),
    [
      "account.event event",
      "account.schedule schedule",
      "register http",
      "search stream",
      "validate queue",
      "worker blob",
    ],
  );
  const tables = readFileSync(join(project, "functions/_collections.ts"), "utf8");
  assert.match(tables, /collection<Customers>\("shop-customers", \{ indexes: \["e-mail"\] \}\)/);
  assert.equal(readFileSync(join(project, "tidings.config.ts"), "utf8").includes("swordfish"), false);
});

test("the project runs: its queues and rules are applied, a path answers 501, and what nobody handles yet is kept", async () => {
  const env = { PATH: process.env["PATH"], HOME: folder, PORT: "0", TIDINGS_DATA_DIR: join(project, ".tidings") };
  const dev = spawn(process.execPath, [MAIN, "dev"], { cwd: project, env, stdio: ["ignore", "pipe", "pipe"] });
  const tidings = async (...line: readonly string[]) =>
    (await run(process.execPath, [MAIN, ...line], { cwd: project, env })).stdout;
  try {
    let said = "";
    for (const stream of [dev.stdout, dev.stderr])
      stream.setEncoding("utf8").on("data", (text) => (said += String(text)));
    const url = await until("it runs", () => /on (http:\S+)/.exec(said)?.[1] ?? null);
    await until("its functions are told", () => /6 functions/.test(said));
    assert.match(await tidings("queues", "apply", "queues.json"), /2 queues as queues\.json says/);
    assert.match(await tidings("rules", "apply", "rules"), /default\/Copy/);
    assert.match(
      await tidings("queues", "show", "registrations"),
      /1 min after a receive[\s\S]*to registrations-dead after 2 receives/,
    );
    const answer = await fetch(`${url}/api/customers`, { method: "POST" });
    assert.deepEqual([answer.status, await answer.json()], [501, { error: "register is not written yet" }]);
    await tidings("queues", "send", "registrations", "hello");
    await until("it is a dead letter", async () =>
      /1 visible/.test(await tidings("queues", "show", "registrations-dead")),
    );
  } finally {
    dev.kill("SIGTERM");
    if (dev.exitCode === null) await once(dev, "exit");
  }
});

test("a folder that holds something is left as it is, and a file that is none is a clear fault", async () => {
  const failed = async (...line: readonly string[]): Promise<readonly [unknown, string]> => {
    const error = await run(process.execPath, [MAIN, "import", ...line], { cwd: folder }).catch((one: unknown) => one);
    assert(error instanceof Error && "code" in error && "stderr" in error);
    return [error.code, String(error.stderr)];
  };
  const [code, says] = await failed("serverless.yml");
  assert.equal(code, 2);
  assert.match(says, /shop is not empty \(.*\); name a new folder: --out my-project/);
  writeFileSync(join(folder, "bad.yml"), "functions:\n  a: [1\n");
  assert.match((await failed("bad.yml")).join(" "), /^2 .*bad\.yml:\d {2}/);
  assert.match((await failed("none.yml")).join(" "), /^2 .*none\.yml cannot be read/);
});

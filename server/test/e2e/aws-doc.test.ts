import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { makePair } from "../clients/aws-home.ts";
import { findBoto3 } from "../support/boto3.ts";
import { type Block, blocksUnder } from "../support/doc-blocks.ts";
import { Home, type Program } from "../support/program.ts";

/** The examples of docs/aws.md do what the page says, as far as this machine can run them. */

const PAGE = "docs/aws.md";
const run = promisify(execFile);
const home = new Home();
/** In the workspace, so that the packages that the examples name are found. */
const SCRATCH = fileURLToPath(new URL("./aws-doc.scratch.mjs", import.meta.url));
let program: Program;
let env: NodeJS.ProcessEnv;
before(async () => {
  program = await home.start();
  const { accessKeyId, secretAccessKey } = await makePair(program);
  const pair = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  env = { PATH: process.env["PATH"], HOME: home.dataDir, TIDINGS_URL: program.url, ...pair };
});
after(async () => {
  rmSync(SCRATCH, { force: true });
  await home[Symbol.asyncDispose]();
});

const events = blocksUnder(PAGE, "## EventBridge in six lines");
const queues = blocksUnder(PAGE, "## SQS in six lines");
const python = [await findBoto3("query"), await findBoto3("json")];

test("each door begins with an example in every language, of no more than six lines", () => {
  assert.deepEqual(
    [events, queues].map((blocks) => blocks.map(({ language }) => language)),
    [
      ["python", "js", "csharp", "sh"],
      ["python", "js", "csharp", "sh", "sh"],
    ],
  );
  for (const { code } of [...events, ...queues]) {
    assert.ok(code.split("\n").filter((line) => line.trim() !== "").length <= 6, code);
  }
});

for (const block of events) {
  example(block, "puts an event", async () => {
    const before = await raised();
    await runs(block);
    assert.equal(await raised(), before + 1);
  });
}

for (const block of queues) {
  const { code } = block;
  const does = /delete/i.test(code) ? ["sent", "received", "deleted"] : ["sent"];
  example(block, `has a message ${does.join(", ")}`, async () => {
    const before = await Promise.all(does.map(counted));
    await runs(block);
    assert.deepEqual(
      await Promise.all(does.map(counted)),
      before.map((count) => count + 1),
    );
  });
}

/** Runs what there is, with the language that there is, or says why not. */
function example(block: Block, does: string, check: () => Promise<void>): void {
  const { language, code } = block;
  const command = language === "sh" ? (/\baws /.test(code) ? "aws" : "curl") : language;
  const name = `the ${command} example of ${PAGE} ${does}`;
  if (language === "csharp") {
    test(name, { skip: "there is no .NET here" }, () => {});
    return;
  }
  if (language === "python" && python.every((found) => typeof found === "string")) {
    test(name, { skip: String(python[0]) }, () => {});
    return;
  }
  test(name, async (t) => {
    if (language === "sh") {
      const there = await run("bash", ["-c", `${command} --version`], { env }).catch(() => null);
      if (there === null) return t.skip(`there is no ${command} here`);
    }
    await check();
  });
}

async function runs({ language, code }: Block): Promise<void> {
  if (language === "sh")
    await run("bash", ["-c", `set -e\n${code.replaceAll("curl ", "curl --fail --silent ")}`], { env });
  else if (language === "js") {
    writeFileSync(SCRATCH, code);
    await run(process.execPath, [SCRATCH], { env });
  } else {
    const found = python.find((one) => typeof one !== "string");
    assert.ok(found !== undefined);
    await run(found.python, ["-c", code], { env: { ...found.env, ...env, PATH: found.env["PATH"] } });
  }
}

/** Events of the shop's orders in the journal. */
async function raised(): Promise<number> {
  const { events: page } = await program.get<{ events: readonly { source: string; type: string }[] }>(
    "/admin/events?limit=1000",
  );
  return page.filter(({ source, type }) => source === "shop" && type === "OrderPlaced").length;
}

/** How many messages of the queue this has happened to. */
async function counted(happened: string): Promise<number> {
  const text = await (await program.call("GET", "/metrics")).text();
  const found = new RegExp(
    `^tidings_queue_messages_total\\{queue="queue:orders",happened="${happened}"\\} (\\d+)$`,
    "m",
  );
  return Number(found.exec(text)?.[1] ?? 0);
}

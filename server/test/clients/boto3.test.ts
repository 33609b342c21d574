import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { type Boto3, findBoto3, type Protocol } from "../support/boto3.ts";
import { Home, type Program } from "../support/program.ts";
import { makePair, type Pair, REGION } from "./aws-home.ts";

/** Fewer assertions would mean that a part of a script was not run. */
const SCRIPTS = { "sqs.py": 60, "eventbridge.py": 30 } as const;
const PROTOCOLS: readonly Protocol[] = ["query", "json"];

/** The unchanged boto3, old and current, against the whole program; what it is asked stands in the scripts. */
const home = new Home();
let program: Program;
let pair: Pair;
const founds = await Promise.all(PROTOCOLS.map(findBoto3));
before(async () => {
  if (founds.every((found) => typeof found === "string")) return;
  program = await home.start();
  pair = await makePair(program);
});
after(() => home[Symbol.asyncDispose]());

for (const [index, found] of founds.entries()) {
  const protocol = PROTOCOLS[index];
  for (const [script, assertionsMin] of Object.entries(SCRIPTS)) {
    const name = `${script} with ${typeof found === "string" ? `a boto3 that speaks ${protocol} to SQS` : found.name}`;
    if (typeof found === "string") {
      test(name, { skip: found }, () => {});
      continue;
    }
    test(name, async (t) => {
      let assertions = 0;
      for await (const line of linesOf(found, script)) {
        assertions += line.assertions;
        await t.test(line.test, { skip: line.skip ?? false }, () => assert.equal(line.wrong, undefined));
      }
      assert.ok(assertions >= assertionsMin, `${assertions} assertions`);
      t.diagnostic(`${found.name} (${protocol}): ${assertions} assertions in ${script}`);
    });
  }
}

/** What a script tells of each of its tests. */
type Line = { readonly test: string; readonly assertions: number; readonly wrong?: string; readonly skip?: string };

async function* linesOf({ python, env }: Boto3, script: string): AsyncGenerator<Line> {
  const child = spawn(python, [fileURLToPath(new URL(`./boto3/${script}`, import.meta.url))], {
    env: {
      ...env,
      AWS_ACCESS_KEY_ID: pair.accessKeyId,
      AWS_SECRET_ACCESS_KEY: pair.secretAccessKey,
      AWS_DEFAULT_REGION: REGION,
      TIDINGS_AWS_ENDPOINT: `${program.url}/aws`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  for await (const line of createInterface(child.stdout)) {
    // As the script's own `Lines` writes them.
    yield JSON.parse(line) as Line;
  }
  const [code] = await ended;
  assert.equal(code, 0, said);
}

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FULL_KEY, givenHouse } from "../given-http.ts";

/** The examples of docs/events.md do what the page says, as far as this machine can run them. */

const PAGE = readFileSync(new URL("../../../docs/events.md", import.meta.url), "utf8");
const BLOCKS = Array.from(
  PAGE.matchAll(/^```(sh|python|js|csharp)\n([\s\S]*?)^```$/gm),
  ([, language = "", code = ""]) => ({
    language,
    code,
  }),
);

const run = promisify(execFile);
/** In the workspace, so that the packages that the examples name are found. */
const SCRATCH = fileURLToPath(new URL("./events-doc.scratch.mjs", import.meta.url));

let given: Awaited<ReturnType<typeof givenHouse>>;
let env: NodeJS.ProcessEnv;
before(async () => {
  given = await givenHouse();
  const url = await given.app.listen({ port: 0, host: "127.0.0.1" });
  // oxlint-disable-next-line no-process-env -- the examples need the PATH of whoever runs the test
  env = { ...process.env, TIDINGS_URL: url, KEY: FULL_KEY };
});
after(async () => {
  rmSync(SCRATCH, { force: true });
  await given[Symbol.asyncDispose]();
});

test("each door begins with an example in every language", () => {
  const count = (language: string): number => BLOCKS.filter((block) => block.language === language).length;
  assert.deepEqual(["sh", "python", "csharp"].map(count), [2, 2, 2]);
  assert.equal(count("js"), 3);
});

test("no example is longer than six lines, continued ones counted as one", () => {
  for (const { code } of BLOCKS) {
    const lines = code.split("\n").filter((line) => line.trim() !== "");
    assert.ok(lines.length <= 6, code);
  }
});

for (const [index, { language, code }] of BLOCKS.entries()) {
  const name = `example ${index + 1} of docs/events.md (${language}) raises an event`;
  if (language === "csharp") {
    test(name, { skip: "there is no .NET here" }, () => {});
    continue;
  }
  test(name, async (t) => {
    const many = await events();
    try {
      await runBlock(language, code);
    } catch (fault) {
      if (!isMissing(fault)) throw fault;
      t.skip(`there is no ${language === "sh" ? "bash or curl" : language} here`);
      return;
    }
    assert.equal(await events(), many + 1);
  });
}

async function runBlock(language: string, code: string): Promise<void> {
  if (language === "sh") await run("bash", ["-c", code.replaceAll("curl ", "curl --fail --silent ")], { env });
  else if (language === "python") await run("python3", ["-c", code], { env });
  else {
    writeFileSync(SCRATCH, code);
    await run(process.execPath, [SCRATCH], { env });
  }
}

async function events(): Promise<number> {
  const page = await given.house.store.readJournal({ after: 0, limit: 10_000 });
  return page.events.filter(({ source }) => source === "/shop" || source === "courier").length;
}

function isMissing(fault: unknown): boolean {
  return fault instanceof Error && "code" in fault && (fault.code === "ENOENT" || fault.code === 127);
}

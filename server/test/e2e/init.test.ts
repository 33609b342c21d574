import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "../support/until.ts";

/** What a newcomer does: `tidings init`, then the README of the project, command by command. */

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAIN = join(ROOT, "server/src/cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "tidings-init-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const env = { PATH: [join(ROOT, "node_modules/.bin"), process.env["PATH"]].join(delimiter), HOME: folder, PORT: "0" };
const inProject = { cwd: join(folder, "shop"), env, shell: true } as const;

test("a project is made, installed, tested, run, called, changed and called again, as its README says", async () => {
  const { stdout } = await run(process.execPath, [MAIN, "init", "shop"], { cwd: folder });
  assert.match(stdout, /\+ functions\/hello\.ts[\s\S]*cd shop\n {2}npm install\n {2}npm test\n {2}npm run dev\n/);
  const readme = readFileSync(join(folder, "shop/README.md"), "utf8");
  const [first = "", second = ""] = Array.from(readme.matchAll(/```sh\n([\s\S]*?)```/g), ([, code]) => code);
  assert.equal(first, "npm install\nnpm test\nnpm run dev\n");
  await run("npm install --no-audit --no-fund --offline", inProject);
  const tested = await run("npm test", inProject);
  assert.match(tested.stdout, /✔ whoever asks is greeted by mail/);

  const dev = spawn(process.execPath, [MAIN, "dev"], { cwd: inProject.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  try {
    let said = "";
    for (const stream of [dev.stdout, dev.stderr])
      stream.setEncoding("utf8").on("data", (text) => (said += String(text)));
    const url = await until("it runs", () => /on (http:\S+)/.exec(said)?.[1] ?? null);
    assert.match(said, /1 function: 1 http/);
    const commands = second.replaceAll("http://127.0.0.1:3300", url);
    // Waits as somebody who types would have.
    const [curl = "", show = ""] = commands.trim().split("\n");
    assert.match((await run(curl, inProject)).stdout, /"requestId":"1-/);
    const shown = await until("the mail is caught", async () => {
      const mail = await run(show, inProject).catch(() => null);
      return mail?.stdout.includes("Subject") === true ? mail.stdout : null;
    });
    assert.match(shown, /ada@example\.com[\s\S]*Hello, Ada[\s\S]*Good to have you at Ada's shop/);
    const file = join(folder, "shop/functions/hello.ts");
    writeFileSync(file, readFileSync(file, "utf8").replace("Hello, ", "Good day, "));
    await until("it is read again", () => said.split("1 function: 1 http").length > 2);
    await run(curl, inProject);
    await until("the new words are sent", async () => (await run(show, inProject)).stdout.includes("Good day, Ada"));
    writeFileSync(file, "import 'not-there';\n");
    await until("the fault is told with file and line", () =>
      /functions\/hello\.ts:1 {2}Cannot find package/.test(said),
    );
    await run(curl, inProject);
  } finally {
    dev.kill("SIGTERM");
    if (dev.exitCode === null) await once(dev, "exit");
  }
});

test("a folder that holds something is left as it is", async () => {
  const full = mkdtempSync(join(folder, "full-"));
  writeFileSync(join(full, "mine.txt"), "mine");
  const refused = await run(process.execPath, [MAIN, "init"], { cwd: full }).catch((error: unknown) => error);
  assert(refused instanceof Error && "code" in refused && "stderr" in refused);
  assert.equal(refused.code, 2);
  assert.match(String(refused.stderr), /is not empty \(mine\.txt\); name a new folder: tidings init my-project/);
});

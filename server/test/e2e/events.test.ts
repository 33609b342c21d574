import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { findBoto3 } from "../support/boto3.ts";
import { blocksUnder } from "../support/doc-blocks.ts";
import { Home } from "../support/program.ts";
import { until } from "../support/until.ts";

/** A line of `tidings mailbox --json`. */
type Caught = { readonly id: string; readonly to: string; readonly title: string };

/** What the README says of events, done as it stands there. */

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const [setUp, raise, ...more] = blocksUnder("README.md", "### Raise an event from any service");

test("the README's program is six lines of Python after a block for the shell", () => {
  assert.deepEqual([setUp?.language, raise?.language, more], ["sh", "python", []]);
  assert.equal(raise?.code.trim().split("\n").length, 6);
});

for (const protocol of ["query", "json"] as const) {
  const found = await findBoto3(protocol);
  if (typeof found === "string") {
    test(`six lines of Python become two mails, with a boto3 of the ${protocol} age`, { skip: found }, () => {});
    continue;
  }
  test(`six lines of Python become two mails, with ${found.name}`, async () => {
    await using home = new Home();
    const program = await home.start();
    const folder = mkdtempSync(join(tmpdir(), "tidings-readme-"));
    try {
      writeFileSync(join(folder, "event.py"), raise?.code.replace("http://127.0.0.1:3300", program.url) ?? "");
      const bin = join(folder, "bin");
      mkdirSync(bin);
      // As npx runs it in a clone.
      writeFileSync(join(bin, "npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${MAIN}" "$@"\n`, { mode: 0o755 });
      const script = `set -e\n${setUp?.code ?? ""}\n"${found.python}" event.py\n`;
      await run("bash", ["-c", script], {
        cwd: folder,
        env: {
          ...found.env,
          PATH: `${bin}${delimiter}${found.env["PATH"]}`,
          TIDINGS_DATA_DIR: home.dataDir,
        },
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const caught = await until("both mails are caught", async () => {
      const { out } = await home.run(["mailbox", "--json"]);
      const lines = out.trim().split("\n");
      return lines.length === 2 ? lines.map((line) => JSON.parse(line) as Caught) : null;
    });
    assert.deepEqual(caught.map(({ to }) => to).toSorted(), ["ada@example.com", "kim@example.com"]);
    for (const { id, title } of caught) {
      assert.equal(title, "Order PX-42");
      const shown = await home.run(["mailbox", "show", id]);
      assert.match(shown.out, /For 19\.90 euros\./, "digits are kept");
    }
  });
}

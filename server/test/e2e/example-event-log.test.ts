import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Example } from "../support/example.ts";
import { until } from "../support/until.ts";

/** What the README of examples/event-log says, done as it stands there. */

/** Seconds of the measurement, both configurations together: enough to see it grow and fall. */
const LAG_SECONDS = 8;

test("what the README shows happens: an event is raised, and the page finds it by a word of it", async () => {
  // Any free port, beside the program's own.
  await using example = new Example("event-log", { SEARCH_PORT: "0" });
  assert.equal(example.blocks[0]?.code, "npm start\n");
  await example.start();
  await example.loaded("index-log");
  await example.loaded("log-page");
  const ask = example.block("log?q=lisbon");
  assert.match(await example.run(ask), /Nothing found/);
  await example.run(example.block("events/order.placed"));
  const page = await until("the page finds it", async () => {
    const html = await example.run(ask);
    return html.includes("<table>") ? html : null;
  });
  assert.match(page, /<td>order\.placed<\/td><td>\{&quot;order&quot;:1,&quot;city&quot;:&quot;Lisbon&quot;\}<\/td>/);
  const hostile = await example.program.call("GET", `/log?q=${encodeURIComponent('"><script>alert(1)</script>')}`);
  assert.doesNotMatch(await hostile.text(), /<script>/);
});

test("the iterator age grows with batches of one, and falls when batch size and parallelization are raised", async () => {
  await using example = new Example("event-log");
  assert(example.block("npm run lag").code.startsWith("npm run lag"));
  const said = await example.runAlone(`node lag.ts --seconds ${LAG_SECONDS} --out measured.svg`);
  const [, grew, fell] = /grew to ([\d.]+) s[\s\S]*fell to ([\d.]+) s/.exec(said) ?? [];
  assert(Number(grew) > 1, said);
  assert(Number(fell) < Number(grew), said);
  const svg = readFileSync(join(example.folder, "measured.svg"), "utf8");
  assert.equal(svg.match(/<polyline /g)?.length, 2);
});

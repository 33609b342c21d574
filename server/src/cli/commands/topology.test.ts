import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/exit.ts";
import { fakeServer, ran } from "../../../test/support/cli-world.ts";

const PLAIN = { says: null, state: "fine", why: null, load: null, calls: null, behind: null, next: null, many: 1 };
const LOAD = { waiting: 12, in_hand: 1, dead: 0, oldest_ms: 4_000 };

function node(kind: string, name: string, more: object = {}) {
  return { id: `${kind}:${name}`, kind, name, ...PLAIN, at_least: false, ...more };
}

function edge(from: string, to: string, kind = "gives", label: string | null = null) {
  return { from, to, kind, label, off: false, many: 1 };
}

const BODY = {
  at: 1,
  nodes: [
    node("door", "SQS and POST /queues"),
    node("queue", "orders", { load: LOAD }),
    node("queue", "dead", { load: { ...LOAD, dead: 3 } }),
    node("function", "fulfil", { says: "queue orders", calls: { done: 9, failed: 1, error_rate: 0.1 } }),
    node("webhook", "gone\u001b[31m", { state: "missing", why: "There is no such webhook." }),
    node("bus", "a"),
    node("bus", "b"),
  ],
  edges: [
    edge("door:SQS and POST /queues", "queue:orders"),
    edge("queue:orders", "function:fulfil", "starts"),
    edge("queue:orders", "queue:dead", "dead", "after 3 receives"),
    edge("function:fulfil", "queue:orders", "emits"),
    edge("function:fulfil", "webhook:gone\u001b[31m"),
    edge("bus:a", "bus:b"),
    edge("bus:b", "bus:a"),
    edge("bus:b", "nobody knows"),
  ],
  shared: [{ name: "deliveries of rules", load: { ...LOAD, in_hand: 0 } }],
  notes: ["1,850 queues are drawn as one."],
};

test("the graph is a tree from where things come in; what stands above is named again, and circles end", async () => {
  await using server = await fakeServer({ "GET /topology.json": () => ({ body: BODY }) });
  const { exit, out, err } = await ran(["topology", ...server.flags]);
  assert.equal(exit, EXIT.ok);
  assert.deepEqual(out.split("\n"), [
    "SQS and POST /queues",
    "└─ queue orders  12 waiting, 1 in hand, oldest 4 s",
    "   ├─ function fulfil  queue orders  10 done, 10 % failed",
    "   │  ├─ emits  queue orders  12 waiting, 1 in hand, oldest 4 s  (see above)",
    "   │  └─ webhook gone [31m  missing  There is no such webhook.",
    "   └─ dead letters after 3 receives  queue dead  12 waiting, 1 in hand, oldest 4 s, 3 dead",
    "bus a",
    "└─ bus b",
    "   └─ bus a  (see above)",
    "deliveries of rules  12 waiting, oldest 4 s",
    "",
  ]);
  assert.equal(err, "1,850 queues are drawn as one.\n");
});

test("no line is wider than the screen, and colours change no word", async () => {
  await using server = await fakeServer({ "GET /topology.json": () => ({ body: BODY }) });
  const narrow = await ran(["topology", ...server.flags], { columns: 40 });
  for (const line of narrow.out.split("\n")) assert.ok(line.length <= 40, line);
  const plain = await ran(["topology", ...server.flags]);
  const coloured = await ran(["topology", ...server.flags], { colours: true });
  assert.match(coloured.out, /\u001b\[/);
  assert.equal(coloured.out.replaceAll(/\u001b\[\d+m/g, ""), plain.out);
});

test("a very long chain is drawn to its end", async () => {
  const length = 3_000;
  const nodes = Array.from({ length }, (_, at) => node("queue", String(at)));
  const edges = nodes.slice(1).map(({ id }, at) => edge(`queue:${at}`, id, "dead"));
  await using server = await fakeServer({ "GET /topology.json": () => ({ body: { ...BODY, nodes, edges } }) });
  const { out } = await ran(["topology", ...server.flags], { columns: 80 });
  assert.equal(out.split("\n").length, length + 2);
});

test("programs are given JSON, pages a chart, and both at once is a mistake", async () => {
  const chart = 'flowchart LR\n  n0(["POST /send"])\n';
  await using server = await fakeServer({
    "GET /topology.json": () => ({ body: BODY }),
    "GET /topology.mmd": (_asked, response) => {
      response.writeHead(200, { "content-type": "text/plain" }).end(chart);
      return undefined;
    },
  });
  const json = await ran(["topology", "--json", ...server.flags]);
  assert.deepEqual(JSON.parse(json.out), BODY);
  assert.equal((await ran(["topology", "--mermaid", ...server.flags])).out, chart);
  assert.equal((await ran(["topology", "--mermaid", "--json", ...server.flags])).exit, EXIT.usage);
});

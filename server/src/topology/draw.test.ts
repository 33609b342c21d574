import assert from "node:assert/strict";
import { test } from "node:test";
import { arnText } from "#domain/arn.ts";
import type { FunctionStatus } from "#functions/desk.ts";
import type { DeclaredFunction } from "#ports/function-host.ts";
import type { QueueDepth } from "#ports/store.ts";
import { ATTRIBUTE_DEFAULTS, type Queue, storeQueueOf } from "#queues/queue.ts";
import type { Rule, Target } from "#rules/rule.ts";
import { draw } from "#topology/draw.ts";
import type { Facts, Looked } from "#topology/facts.ts";
import { fold } from "#topology/fold.ts";
import { type Graph, ordered } from "#topology/graph.ts";
import { mermaidOf } from "#topology/mermaid.ts";
import { patternText } from "#topology/pattern-text.ts";
import { edgeText, figuresOf, titleOf } from "#topology/words.ts";

const NOW = 1_000_000;

function whole<Item>(items: readonly Item[]): Looked<Item> {
  return { items, isCut: false };
}

function facts(given: Partial<Facts> = {}): Facts {
  return {
    atMs: NOW,
    queues: whole([]),
    buses: whole(["default"]),
    rules: whole([]),
    ruleLoads: [],
    webhooks: whole([]),
    lists: whole([]),
    functions: [],
    seen: new Map(),
    readers: whole([]),
    depths: [],
    ...given,
  };
}

function queue(name: string, redrive: { readonly to: string; readonly after: number } | null = null) {
  const dead = redrive === null ? null : { deadLetterQueue: redrive.to, receiveMax: redrive.after };
  const made: Queue = {
    ...{ name, tags: {}, generation: "g1", createdMs: 1, modifiedMs: 1, purgedMs: null },
    attributes: { ...ATTRIBUTE_DEFAULTS, redrive: dead },
  };
  return { ...made, calls: { done: 0, failed: 0 } };
}

function target(arn: string, deadLetterArn: string | null = null): Target {
  return {
    ...{ id: arn, arn, input: { kind: "event" }, retry: { attemptsMax: 1, ageMaxMs: 60_000 }, deadLetterArn },
    ...{ messageGroupId: null, asPut: {}, asWritten: null },
  };
}

function rule(bus: string, name: string, targets: readonly Target[], more: Partial<Rule> = {}): Rule {
  return {
    ...{
      bus,
      name,
      pattern: '{"source":["shop"]}',
      schedule: null,
      state: "ENABLED",
      description: null,
      roleArn: null,
    },
    ...{ tags: {}, targets, managedBy: null, createdMs: 1, modifiedMs: 1, ...more },
  };
}

function fn(name: string, on: DeclaredFunction["on"], more: Partial<FunctionStatus> = {}): FunctionStatus {
  const limits = { timeoutMs: 1, concurrency: 1, attempts: 1, memoryMb: 1 };
  return {
    declared: { name, file: `functions/${name}.ts`, line: 1, on, ...limits },
    ...{ state: "running", fault: null, nextRunMs: null, waiting: null },
    tally: { done: 0, failed: 0, lastRunMs: null, lastError: null },
    ...more,
  };
}

function depth(queueName: string, given: Partial<QueueDepth>): QueueDepth {
  const none = { waiting: 0, ready: 0, held: 0, parked: 0, dead: 0, oldestReadyMs: null };
  return { queue: queueName, lane: "transactional", ...none, ...given };
}

const QUEUE = (name: string) => arnText({ kind: "queue", name }, "eu-central-1");
const HOOK = (id: string) => arnText({ kind: "webhook", id }, "");
const FUNCTION = (name: string) => arnText({ kind: "function", name }, "");
const NO_FILTER = { batchSize: 1, filter: null } as const;

/** `from -kind(label)-> to`, as a reader would say it. */
function lines(graph: Graph): readonly string[] {
  return ordered(graph).edges.map((edge) => {
    const says = edgeText(edge);
    return `${edge.from} ${edge.kind === "starts" ? "=>" : "->"} ${edge.to}${says === "" ? "" : ` (${says})`}`;
  });
}

test("an empty house has its doors, the default bus and the notifications", () => {
  assert.deepEqual(lines(draw(facts())), ["door:POST /events -> bus:default", "door:POST /send -> send:notifications"]);
});

test("what leads where is drawn from the definitions of all of them", () => {
  const graph = draw(
    facts({
      queues: whole([queue("orders", { to: "orders-dead", after: 3 }), queue("orders-dead"), queue("rest")]),
      buses: whole(["default", "shop", "tidings"]),
      rules: whole([
        rule("shop", "big", [target(QUEUE("orders"), QUEUE("rest")), target("arn:tidings:send:::message")]),
        rule("shop", "mirror", [target(arnText({ kind: "bus", name: "default" }, "x"))], { state: "DISABLED" }),
        rule("tidings", "webhook-wh_1", [target(HOOK("wh_1"))], { managedBy: "webhooks" }),
        rule("default", "fn.welcome", [target(FUNCTION("welcome"))], { managedBy: "functions" }),
      ]),
      webhooks: whole([{ id: "wh_1", url: "https://user:secret@example.com/hook/token?a=b", state: "disabled" }]),
      lists: whole(["customers"]),
      functions: [
        fn("fulfil", { kind: "queue", queue: "orders", ...NO_FILTER }),
        fn("welcome", { kind: "event", pattern: { source: ["shop"] }, bus: "default" }),
        fn("api", { kind: "http", method: "POST", path: "/api/orders", auth: "none" }),
        fn("nightly", { kind: "schedule", when: { kind: "rate", everyMs: 300_000 }, timeZone: "UTC" }),
        fn("thumbs", { kind: "blob", prefix: "photos/" }),
        fn("audit", {
          ...{ kind: "stream", batchSize: 1, parallelizationFactor: 1, bisectOnError: true, maxAgeMs: null },
          ...{ startFrom: "latest", filter: null },
        }),
      ],
      seen: new Map([
        ["api", new Set(["queue:orders", "event:shop/A", "event:shop/B", "event:shop/C", "event:shop/D", "send"])],
        ["thumbs", new Set(["documents:pictures"])],
        ["gone", new Set(["send"])],
      ]),
      readers: whole([{ name: "rules", behind: 2 }]),
    }),
  );
  assert.deepEqual(lines(graph), [
    "door:POST /events -> bus:default",
    "door:POST /events -> bus:shop",
    "door:POST /events -> journal:journal",
    "door:POST /send -> send:notifications",
    "door:PUT /blobs -> files:files",
    "door:SQS and POST /queues -> queue:orders",
    "door:paths of functions => function:api (POST /api/orders (open))",
    "schedule:every 5 minutes => function:nightly",
    "own:Tidings itself -> bus:tidings",
    "own:Tidings itself -> journal:journal",
    "bus:default => function:welcome (all from shop)",
    "bus:shop -> rule:shop/big",
    "bus:shop -> rule:shop/mirror (off)",
    "bus:tidings -> webhook:wh_1 (all from shop)",
    "journal:journal => function:audit",
    "journal:journal -> reader:rules",
    "rule:shop/big -> queue:orders",
    "rule:shop/big -> queue:rest (dead letters)",
    "rule:shop/big -> send:notifications",
    "rule:shop/mirror -> bus:default (off)",
    "queue:orders -> queue:orders-dead (dead letters after 3 receives)",
    "queue:orders => function:fulfil",
    "files:files => function:thumbs (photos/*)",
    "function:api -> bus:shop (emits A, B, C and 1 more)",
    "function:api -> queue:orders (emits)",
    "function:api -> send:notifications (emits)",
    "function:thumbs -> documents:pictures (emits)",
    "send:notifications -> list:customers",
  ]);
  assert.ok(
    graph.nodes.every(({ state, id }) => (state === "fine") !== ["rule:shop/mirror", "webhook:wh_1"].includes(id)),
  );
  assert.equal(graph.nodes.find(({ id }) => id === "webhook:wh_1")?.says, "https://example.com");
});

test("what is named and not there is drawn as missing, unless nobody has looked at all of them", () => {
  const given = {
    rules: whole([rule("default", "r", [target(QUEUE("gone")), target(HOOK("gone")), target(FUNCTION("gone"))])]),
    functions: [fn("f", { kind: "queue", queue: "other", ...NO_FILTER })],
  };
  const missing = (graph: Graph) =>
    graph.nodes.flatMap(({ id, state }) => (state === "missing" ? [id] : [])).toSorted();
  assert.deepEqual(missing(draw(facts(given))), ["function:gone", "queue:gone", "queue:other", "webhook:gone"]);
  const cut = { queues: { items: [], isCut: true }, webhooks: { items: [], isCut: true } };
  const graph = draw(facts({ ...given, ...cut }));
  assert.deepEqual(missing(graph), ["function:gone"]);
  assert.deepEqual(graph.notes, [
    "There are more queues than the 0 that were looked at.",
    "There are more webhooks than the 0 that were looked at.",
  ]);
  const foreign = draw(facts({ rules: whole([rule("default", "r", [target("arn:aws:lambda:x:1:function:f")])]) }));
  assert.equal(foreign.nodes.find(({ kind }) => kind === "other")?.state, "faulty");
});

test("a function that does not run is drawn with why, and nothing goes to it", () => {
  const broken = { state: "faulty", fault: "functions/f.ts:3: no." } as const;
  const graph = draw(facts({ functions: [fn("f", { kind: "event", pattern: {}, bus: "b/c" }, broken)] }));
  assert.deepEqual(
    graph.nodes.filter(({ kind }) => kind === "function").map(({ state, why }) => [state, why]),
    [["faulty", "functions/f.ts:3: no."]],
  );
  assert.ok(lines(graph).includes("bus:b/c => function:f ({}, off)"));
});

test("what waits, its age and what failed stand where they belong", () => {
  const orders = queue("orders");
  const event = { kind: "event", pattern: {}, bus: "default" } as const;
  const tally = { done: 6, failed: 2, lastRunMs: 1, lastError: null };
  const graph = draw(
    facts({
      queues: whole([{ ...orders, calls: { done: 999, failed: 1 } }]),
      rules: whole([rule("default", "r", [target(QUEUE("orders"))])]),
      ruleLoads: [
        {
          ...{ bus: "default", name: "r", waiting: 4, oldestMs: NOW - 90_000, dead: 1, matched: 9 },
          ...{ delivered: 3, retried: 2, failed: 1 },
        },
      ],
      functions: [fn("f", event, { tally, waiting: 7 })],
      readers: whole([{ name: "rules", behind: 1_234 }]),
      depths: [
        depth(storeQueueOf(orders), { waiting: 1, ready: 2, oldestReadyMs: NOW - 5_000 }),
        depth(storeQueueOf(orders), { lane: "bulk", ready: 3, held: 4, dead: 5, oldestReadyMs: NOW - 3_000_000 }),
        depth("queue:orders/g0", { ready: 77 }),
        depth("function:f", { ready: 7, oldestReadyMs: NOW - 1_000 }),
        depth("message", { ready: 2, oldestReadyMs: NOW }),
        depth("expand", { held: 1 }),
        depth("target", { ready: 4 }),
      ],
    }),
  );
  const figures = Object.fromEntries(graph.nodes.map((node) => [node.id, figuresOf(node)]));
  assert.deepEqual(
    ["queue:orders", "rule:default/r", "function:f", "reader:rules", "send:notifications", "bus:default"].map(
      (id) => figures[id],
    ),
    [
      ["6 waiting, 4 in hand, oldest 50 min, 5 dead", "1,000 done, 0.1 % failed"],
      ["4 waiting, oldest 1 min, 1 dead", "4 done, 25 % failed"],
      ["7 waiting, oldest 1 s", "8 done, 25 % failed"],
      ["1,234 events behind"],
      ["2 waiting, 1 in hand, oldest 0 s"],
      [],
    ],
  );
  assert.deepEqual(
    graph.shared.map(({ name, load }) => [name, load.waiting]),
    [["deliveries of rules", 4]],
  );
});

test("of very many things those stay that need somebody or are connected, and the rest is one, with all their edges", () => {
  const many = Array.from({ length: 2_000 }, (_, at) => String(at).padStart(4, "0"));
  const rules = many.map((at) => rule("default", `r${at}`, [target(QUEUE(`q${at}`))]));
  const queues = many.map((at) => queue(`q${at}`));
  const ill = depth(storeQueueOf(queue("q1999")), { dead: 3 });
  const given = facts({ rules: { items: rules, isCut: true }, queues: whole(queues), depths: [ill] });
  const beganMs = performance.now();
  const graph = ordered(fold(draw(given), new Set(["rule"])));
  assert.ok(performance.now() - beganMs < 2_000, "a moment");
  const of = (kind: string) => graph.nodes.filter((node) => node.kind === kind);
  assert.deepEqual([of("rule").length, of("queue").length], [101, 151]);
  assert.ok(
    graph.nodes.some(({ id }) => id === "queue:q1999"),
    "what needs somebody is shown",
  );
  const [rest] = graph.nodes.filter(({ id }) => id === "more:rule");
  assert.deepEqual(rest && [titleOf(rest), rest.many], ["1,900+ more rules", 1_900]);
  assert.ok(graph.edges.length < 1_000, `${graph.edges.length} edges`);
  assert.ok(lines(graph).includes("more:rule -> more:queue (1,850 of them)"));
  assert.ok(lines(graph).includes("bus:default -> more:rule (1,900 of them)"));
  assert.deepEqual(graph.notes, [
    "There are more rules than the 2,000 that were looked at.",
    "1,850 queues are drawn as one.",
    "1,900 rules are drawn as one.",
  ]);
  const ids = new Set(graph.nodes.map(({ id }) => id));
  for (const { from, to } of graph.edges) assert.ok(ids.has(from) && ids.has(to), `${from} ${to}`);
});

test("a pattern is said in a few words, or as it is", () => {
  const said = [
    patternText({ source: ["shop"], "detail-type": ["OrderPlaced", "OrderPaid"] }),
    patternText('{"detail-type":["A"],"detail":{"price":[1]}}'),
    patternText({ source: [{ prefix: "s" }] }),
    patternText({ detail: { price: [{ numeric: [">", 1] }] } }),
    patternText("{}"),
    patternText("no JSON"),
    patternText({ source: ["x".repeat(100)] }),
  ];
  assert.deepEqual(said, [
    "OrderPlaced, OrderPaid from shop",
    "A where …",
    '{"source":[{"prefix":"s"}]}',
    '{"detail":{"price":[{"numeric":[">",1]}]}}',
    "{}",
    "no JSON",
    `all from ${"x".repeat(50)}…`,
  ]);
});

test("the same house gives the same drawing, in whatever order it is read", () => {
  const queues = [queue("b", { to: "a", after: 1 }), queue("a"), queue("c")];
  const rules = [rule("default", "y", [target(QUEUE("a"))]), rule("default", "x", [target(QUEUE("b"))])];
  const one = ordered(draw(facts({ queues: whole(queues), rules: whole(rules) })));
  const other = ordered(draw(facts({ queues: whole(queues.toReversed()), rules: whole(rules.toReversed()) })));
  assert.deepEqual(one, other);
  assert.equal(mermaidOf(one), mermaidOf(other));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RecordedEvent } from "#domain/event.ts";
import { EventView } from "#rules/event-view.ts";
import { compileInput } from "#rules/input.ts";
import type { TargetInput } from "#rules/rule.ts";

const CONTEXT = {
  ruleArn: "arn:aws:events:eu-north-1:000000000000:rule/welcome",
  ruleName: "welcome",
  ingestedMs: 1_714_979_290_000,
};
const DETAIL =
  '{"name":"Kim \\"K\\" Berg","order":98765432109876543210,"price":1.10,"paid":true,"none":null,"items":[{"sku":"a"},{"sku":"b"}],"o":{"a":1,"l":["x","y"]}}';

function view(data = DETAIL, attributes: string | null = null): EventView {
  const event: RecordedEvent = {
    position: 7,
    id: "e-1",
    source: "shop.orders",
    type: "OrderPlaced",
    subject: "e-1",
    timeMs: 1_714_979_289_123,
    data,
    traceparent: null,
    key: "e-1",
    attributes,
  };
  return new EventView(event, "eu-north-1");
}

function fill(input: TargetInput, from = view()): string {
  const compiled = compileInput(input, "t");
  assert.equal(compiled.kind, "input", compiled.kind === "invalid" ? compiled.says : "");
  return compiled.kind === "input" ? compiled.fill(from, CONTEXT) : "";
}

function transform(template: string, paths: Readonly<Record<string, string>>): string {
  return fill({ kind: "transformer", paths, template });
}

test("a target that asks for nothing gets the event, its detail as it was given", () => {
  assert.equal(
    fill({ kind: "event" }),
    '{"version":"0","id":"e-1","detail-type":"OrderPlaced","source":"shop.orders","account":"000000000000",' +
      `"time":"2024-05-06T07:08:09Z","region":"eu-north-1","resources":[],"detail":${DETAIL}}`,
  );
});

test("the event shows what it came with: resources, subject, region, replay and the id that it had", () => {
  const attributes = { resources: ["arn:x"], subject: "order/7", region: "us-east-1", replay: "again", showId: "old" };
  assert.equal(
    fill({ kind: "event" }, view("{}", JSON.stringify(attributes))),
    '{"version":"0","id":"old","detail-type":"OrderPlaced","source":"shop.orders","account":"000000000000",' +
      '"time":"2024-05-06T07:08:09Z","region":"us-east-1","resources":["arn:x"],"subject":"order/7",' +
      '"replay-name":"again","detail":{}}',
  );
});

test("a fixed text stays as it is", () => {
  assert.equal(fill({ kind: "text", text: '{ "n": 1.0 }' }), '{ "n": 1.0 }');
});

test("a part is cut out as it was written; a missing one is null", () => {
  const cases = [
    ["$.detail.order", "98765432109876543210"],
    ["$.detail.name", '"Kim \\"K\\" Berg"'],
    ["$.detail.items[1]", '{"sku":"b"}'],
    ["$.detail-type", '"OrderPlaced"'],
    ["$.detail", DETAIL],
    ["$.nothing", "null"],
  ] as const;
  for (const [path, part] of cases) assert.equal(fill({ kind: "path", path }), part);
  assert.equal(fill({ kind: "path", path: "$" }), view().text);
});

test("outside quotation marks a placeholder is JSON, within them bare text", () => {
  const paths = {
    name: "$.detail.name",
    order: "$.detail.order",
    o: "$.detail.o",
    paid: "$.detail.paid",
    none: "$.detail.none",
    gone: "$.detail.gone",
  };
  assert.equal(
    transform('{"who": <name>, "order": <order>, "o": <o>, "paid": <paid>, "none": <none>, "gone": <gone>}', paths),
    '{"who": "Kim \\"K\\" Berg", "order": 98765432109876543210, "o": {"a":1,"l":["x","y"]}, "paid": true, "none": null, "gone": ""}',
  );
  assert.equal(
    transform('{"says": "Hi <name>, order <order>: <o> <gone>!"}', paths),
    '{"says": "Hi Kim \\"K\\" Berg, order 98765432109876543210: {a:1,l:[x,y]} !"}',
  );
});

test("a template that is a quoted string keeps its marks, and lines stay lines", () => {
  assert.equal(transform('"<who> is here"', { who: "$.source" }), '"shop.orders is here"');
  assert.equal(transform('"one <who>"\n"two"', { who: "$.source" }), '"one shop.orders"\n"two"');
});

test("what is predefined is there without a path", () => {
  assert.equal(
    transform(
      '{"arn":<aws.events.rule-arn>,"rule":"<aws.events.rule-name>","at":<aws.events.event.ingestion-time>}',
      {},
    ),
    `{"arn":"${CONTEXT.ruleArn}","rule":"welcome","at":"2024-05-06T07:08:10.000Z"}`,
  );
  assert.equal(transform("<aws.events.event.json>", {}), view().text);
  const { detail: _, ...rest } = JSON.parse(view().text);
  assert.deepEqual(JSON.parse(transform("<aws.events.event>", {})), rest);
});

test("what is no placeholder stays: a lone <, an escaped one, a space within", () => {
  assert.equal(transform('"a < b, <not this>, \\\\<v>"', { v: "$.source" }), '"a < b, <not this>, \\\\shop.orders"');
});

test("a template that names something unknown, and paths that are none, are refused with a sentence", () => {
  const cases: readonly (readonly [TargetInput, string])[] = [
    [
      { kind: "transformer", paths: {}, template: '"<who>"' },
      "InputTemplate for target t contains invalid placeholder who.",
    ],
    [
      { kind: "transformer", paths: { who: "who" }, template: '"<who>"' },
      "InputPathsMap for target t: who is not a JSON path.",
    ],
    [
      { kind: "transformer", paths: { "aws.x": "$" }, template: "1" },
      "InputPathsMap for target t has an invalid name: aws.x.",
    ],
    [{ kind: "path", path: "detail" }, "Invalid InputPath for target t: detail is not a JSON path."],
    [{ kind: "text", text: "{" }, "JSON syntax error in input for target t: its Input is not valid JSON."],
  ];
  for (const [input, says] of cases) assert.deepEqual(compileInput(input, "t"), { kind: "invalid", says });
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`v${at}`, "$"]));
  assert.equal(compileInput({ kind: "transformer", paths: many, template: "1" }, "t").kind, "invalid");
});

test("whatever an event holds, a JSON template that is filled with it is JSON again", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const from = view(JSON.stringify({ value }));
      const input: TargetInput = {
        kind: "transformer",
        paths: { v: "$.detail.value" },
        template: '{"alone":<v>,"within":"it is <v>, really"}',
      };
      const told = JSON.parse(fill(input, from)) as { readonly alone: unknown; readonly within: string };
      assert.deepEqual(told.alone, JSON.parse(JSON.stringify(value)));
      if (typeof value === "string") assert.equal(told.within, `it is ${value}, really`);
    }),
    { numRuns: 500 },
  );
});

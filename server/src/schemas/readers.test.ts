import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SEND_ARN } from "#domain/arn.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Rule, Target, TargetInput } from "#rules/rule.ts";
import { readersOf } from "#schemas/readers.ts";

function rule(name: string, pattern: JsonObject | null, targets: readonly Target[] = []): Rule {
  return {
    ...{ bus: "default", name, pattern: pattern === null ? null : JSON.stringify(pattern), targets },
    ...{ schedule: null, state: "ENABLED", description: null, roleArn: null, tags: {}, managedBy: null },
    ...{ createdMs: 0, modifiedMs: 0 },
  };
}

function target(id: string, input: TargetInput, arn = "arn:aws:sqs:us-east-1:000000000000:q"): Target {
  const retry = { attemptsMax: 1, ageMaxMs: 1 };
  return { id, arn, input, retry, deadLetterArn: null, messageGroupId: null, asPut: {}, asWritten: null };
}

const ANY: JsonObject = { source: ["/shop"] };

function read(field: readonly string[], ...rules: readonly Rule[]): readonly string[] {
  return readersOf(field, "order.placed", rules).map(({ rule: name, what, target: id }) => [name, what, id].join(" "));
}

describe("who reads a field", () => {
  test("patterns that say something of it, or of what is in it", () => {
    const yes = rule("yes", { detail: { order: { total: [{ numeric: [">", 9] }] } } });
    const inside = rule("inside", { detail: { $or: [{ order: { total: { eur: [1] } } }, { x: [1] }] } });
    const no = rule("no", { detail: { order: { state: ["paid"] } } });
    assert.deepEqual(read(["order", "total"], yes, inside, no), ["yes pattern ", "inside pattern "]);
    assert.deepEqual(read(["order"], yes), ["yes pattern "]);
  });

  test("only rules that may see such events", () => {
    const detail = { total: [1] };
    const other = rule("other", { "detail-type": ["order.lost"], detail });
    const same = rule("same", { "detail-type": ["order.placed"], detail });
    const perhaps = rule("perhaps", { "detail-type": [{ prefix: "order." }], detail });
    assert.deepEqual(read(["total"], other, same, perhaps, rule("timed", null)), ["same pattern ", "perhaps pattern "]);
  });

  test("paths of targets that lead to it or into it", () => {
    const targets = [
      target("path", { kind: "path", path: "$.detail.lines[0].sku" }),
      target("whole", { kind: "path", path: "$.detail" }),
      target("fills", {
        kind: "transformer",
        paths: { s: "$.detail.lines[2]['sku'].code", t: "$.time" },
        template: "<s>",
      }),
      target("event", { kind: "event" }),
    ];
    assert.deepEqual(read(["lines", "*", "sku"], rule("r", ANY, targets)), ["r path path", "r path fills"]);
  });

  test("words of a send that is handed the data", () => {
    const words = (template: string): Target =>
      target("mail", { kind: "transformer", paths: { d: "$.detail" }, template }, SEND_ARN);
    const says = '{"message":{"data":<d>,"content":{"body":"That makes {order.total} or {{data.order.total}}"}}}';
    assert.deepEqual(read(["order", "total"], rule("r", ANY, [words(says)])), ["r words mail", "r words mail"]);
    assert.deepEqual(read(["order", "state"], rule("r", ANY, [words(says)])), []);
  });
});

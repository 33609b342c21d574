import { schedule, type TriggerSpec } from "tidings";
import { jsonOf } from "#cli/serverless/json.ts";
import type { FunctionNumbers } from "#cli/serverless/plan.ts";
import { queueName } from "#cli/serverless/read-resources.ts";
import { cleanName, type Resources } from "#cli/serverless/resources.ts";
import { at, entriesOf, type Gap, isFalse, isTrue, itemsOf, numberOf, type Tree } from "#cli/serverless/yaml-tree.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { RESERVED_SEGMENTS } from "#functions/http-routes.ts";
import { scheduleFault } from "#functions/next-time.ts";
import { patternFlaw } from "#functions/pattern.ts";

/** A trigger as ours, and what goes with it. */
export type ReadTrigger = {
  readonly on: TriggerSpec;
  readonly notes: readonly string[];
  readonly options: FunctionNumbers;
};

/** Reads triggers; what they ask for that is not there becomes a gap. */
export class Triggers {
  readonly #resources: Resources;
  readonly #gaps: Gap[];
  readonly #nowMs: number;

  constructor(resources: Resources, gaps: Gap[], nowMs: number) {
    this.#resources = resources;
    this.#gaps = gaps;
    this.#nowMs = nowMs;
  }

  /** One item of a function's `events`: those that it becomes, none with a gap. */
  read(item: Tree): readonly ReadTrigger[] {
    const [[kind, given] = [""]] = entriesOf(item);
    if (given === undefined) return this.#none(item, "it is not known what starts it");
    if (given.kind === "map" && isFalse(at(given, "enabled")))
      return this.#none(given, `the trigger ${kind} is not enabled; left out`);
    switch (kind) {
      case "sqs":
        return this.#queue(given);
      case "http":
      case "httpApi":
        return this.#http(given);
      case "eventBridge":
        return this.#eventBridge(given);
      case "cloudwatchEvent":
        return this.#event(given, at(given, "event"), "default");
      case "schedule":
        return this.schedule(given.kind === "map" ? at(given, "rate") : given, given);
      case "s3":
        return this.#blob(given);
      case "stream":
        return this.#stream(given);
      case "sns":
        return this.#topic(given);
      default:
        return this.#none(given, `there is no trigger like ${kind} here`);
    }
  }

  /** The events that a pattern wants, one by one. */
  event(given: Tree, pattern: Json, bus: string): readonly ReadTrigger[] {
    const flaw = isJsonObject(pattern) ? patternFlaw(pattern) : "it has no pattern";
    if (flaw !== null || !isJsonObject(pattern)) return this.#none(given, flaw ?? "");
    const policy = at(given, "retryPolicy") ?? at(given, "RetryPolicy");
    const retries = numberOf(at(policy, "maximumRetryAttempts") ?? at(policy, "MaximumRetryAttempts"));
    for (const name of ["input", "inputPath", "inputTransformer", "deadLetterQueueArn"]) {
      const tree = at(given, name);
      if (tree !== undefined) this.#gap(tree, `${name} is not taken over: the handler gets the whole event`);
    }
    const options = retries === null ? {} : { attempts: within(retries + 1, 1, 100) };
    return [{ on: { kind: "event", pattern, bus }, notes: [], options }];
  }

  /** @param when one expression, or several. */
  schedule(when: Tree | undefined, given: Tree): readonly ReadTrigger[] {
    if (when === undefined) return this.#none(given, "the schedule says no time");
    const zone = at(given, "timezone") ?? at(given, "ScheduleExpressionTimezone");
    const timeZone = zone?.kind === "scalar" ? String(zone.value) : "UTC";
    const input = at(given, "input");
    if (input !== undefined) this.#gap(input, "a schedule has no input here; write it into the handler");
    return itemsOf(when).flatMap((one) => {
      const text = this.#resources.text(one) ?? "";
      const spec = schedule(unixCron(text), timeZone).spec;
      const fault = spec.kind === "schedule" ? scheduleFault(spec, this.#nowMs) : null;
      return fault === null
        ? [{ on: spec, notes: [`The schedule was ${text}.`], options: {} }]
        : this.#none(one, `${text}: ${fault}`);
    });
  }

  #queue(given: Tree): readonly ReadTrigger[] {
    const arn = given.kind === "map" ? at(given, "arn") : given;
    const queue = arn === undefined ? null : queueName(arn, this.#resources);
    if (queue === null) return this.#none(given, "it is not known which queue it is");
    const most = numberOf(at(given, "maximumConcurrency"));
    const filter = this.#filter(given);
    const batchSize = this.#within(at(given, "batchSize"), 10, 1_000);
    return [
      {
        on: { kind: "queue", queue, batchSize, filter },
        notes: [],
        options: most === null ? {} : { concurrency: within(most, 1, 1_000) },
      },
    ];
  }

  #stream(given: Tree): readonly ReadTrigger[] {
    const arn = given.kind === "map" ? at(given, "arn") : given;
    const id = this.#resources.idIn(arn);
    const source = id ?? (arn === undefined ? null : this.#resources.name(arn)) ?? "a stream";
    this.#gap(
      given,
      `the stream of ${source} is the journal here: raise an event where something is put, and say which in filter`,
    );
    const ageSeconds = numberOf(at(given, "maximumRecordAgeInSeconds"));
    const retries = numberOf(at(given, "maximumRetryAttempts"));
    const start = at(given, "startingPosition");
    const isEarliest = start?.kind === "scalar" && start.value === "TRIM_HORIZON";
    if (at(given, "filterPatterns") !== undefined)
      this.#gap(given, "filterPatterns are about records of a table; write the filter anew, for events");
    return [
      {
        on: {
          kind: "stream",
          batchSize: this.#within(at(given, "batchSize"), 100, 10_000),
          parallelizationFactor: this.#within(at(given, "parallelizationFactor"), 1, 64),
          bisectOnError: isTrue(at(given, "bisectBatchOnFunctionError")),
          maxAgeMs: ageSeconds === null || ageSeconds <= 0 ? null : ageSeconds * 1_000,
          startFrom: isEarliest ? "earliest" : "latest",
          filter: null,
        },
        notes: [`It was the stream of ${source}; every event of the journal comes until a filter says which.`],
        options: retries === null || retries < 0 ? {} : { attempts: within(retries + 1, 1, 100) },
      },
    ];
  }

  #http(given: Tree): readonly ReadTrigger[] {
    const written = given.kind === "scalar" ? String(given.value).trim().split(/\s+/) : [];
    const part = (name: string, place: number): string => {
      const tree = at(given, name);
      return tree?.kind === "scalar" ? String(tree.value) : (written[place] ?? "");
    };
    const asked = part("method", 0).toUpperCase();
    const method = METHODS.find((one) => one === asked) ?? "POST";
    if (method !== asked) this.#gap(given, `the method ${asked || "(none)"}: made for POST; copy the file for others`);
    const path = this.#path(given, part("path", 1));
    if (path === null) return [];
    const isOpen = !isTrue(at(given, "private")) && at(given, "authorizer") === undefined;
    if (at(given, "authorizer") !== undefined)
      this.#gap(given, "an authorizer becomes an API key; or check the call in the handler");
    const cors = this.#cors(at(given, "cors"));
    const on = {
      kind: "http",
      method,
      path,
      auth: isOpen ? "none" : "key",
      ...(cors === null ? {} : { cors }),
    } as const;
    return [{ on, notes: [], options: {} }];
  }

  /** Origins: `true` are all of them. */
  #cors(tree: Tree | undefined): readonly string[] | null {
    if (tree === undefined || isFalse(tree)) return null;
    if (tree.kind !== "map") return ["*"];
    const named = [
      ...itemsOf(at(tree, "origins")),
      ...itemsOf(at(tree, "origin")),
      ...itemsOf(at(tree, "allowedOrigins")),
    ];
    const origins = named.flatMap((one) => (one.kind === "scalar" ? [String(one.value)] : []));
    const fit = origins.filter((origin) => origin === "*" || /^https?:\/\/[^/\s,*]+$/.test(origin));
    if (fit.length < origins.length) this.#gap(tree, "an origin has no path and no star here: https://shop.example");
    return origins.length === 0 ? ["*"] : fit;
  }

  /** A path as ours: `/api/orders/:id`. */
  #path(given: Tree, text: string): string | null {
    const segments = text.split("/").filter((segment) => segment !== "");
    if (text === "" || text === "*" || segments.some((segment) => segment.includes("+}"))) {
      this.#gap(given, `the path ${text || "(none)"} stands for many; write one file for each path`);
      return null;
    }
    const ours = segments.map((segment) => {
      const [, name] = /^\{(.+)\}$/.exec(segment) ?? [];
      return name === undefined ? segment : `:${name.replaceAll(/\W/g, "_").replace(/^\d/, "_$&")}`;
    });
    if (ours.some((segment) => !/^(?:[A-Za-z0-9._~!$'()+,;=@-]+|:[A-Za-z_]\w*)$/.test(segment))) {
      this.#gap(given, `the path ${text} has a segment that a path here cannot have`);
      return null;
    }
    const [first = ""] = ours;
    if (ours.length > 0 && !first.startsWith(":") && !RESERVED_SEGMENTS.has(first)) return `/${ours.join("/")}`;
    const moved = ["", "api", ...ours].join("/");
    this.#gap(given, `the path ${text} is the server's own or all there is: it is ${moved} here`);
    return moved;
  }

  #eventBridge(given: Tree): readonly ReadTrigger[] {
    const when = at(given, "schedule");
    const pattern = at(given, "pattern");
    const scheduled = when === undefined ? [] : this.schedule(when, given);
    if (pattern === undefined && when !== undefined) return scheduled;
    return [...scheduled, ...this.#event(given, pattern, this.bus(at(given, "eventBus")))];
  }

  #event(given: Tree, pattern: Tree | undefined, bus: string): readonly ReadTrigger[] {
    return this.event(given, pattern === undefined ? null : jsonOf(pattern, this.#resources), bus);
  }

  bus(tree: Tree | undefined): string {
    const name = tree === undefined ? null : this.#resources.name(tree);
    return name === null ? "default" : cleanName(name);
  }

  #blob(given: Tree): readonly ReadTrigger[] {
    const bucketTree = given.kind === "map" ? at(given, "bucket") : given;
    const bucket = bucketTree === undefined ? null : this.#resources.name(bucketTree);
    if (bucket === null) return this.#none(given, "it is not known which bucket it is");
    const kinds = itemsOf(at(given, "event")).map((one) => (one.kind === "scalar" ? String(one.value) : ""));
    if (kinds.some((kind) => !kind.startsWith("s3:ObjectCreated")))
      return this.#none(given, `${kinds.join(", ")}: a function is started by files that are put, and by nothing else`);
    const rules = itemsOf(at(given, "rules")).flatMap((rule) => [...entriesOf(rule)]);
    const rule = (name: string): string => {
      const tree = rules.find(([key]) => key === name)?.[1];
      return tree?.kind === "scalar" ? String(tree.value) : "";
    };
    const suffix = rule("suffix");
    const prefix = `${cleanName(bucket)}/${rule("prefix")}`;
    return [
      {
        on: { kind: "blob", prefix },
        notes: [
          `Files are put by PUT /blobs/${prefix}NAME.`,
          ...(suffix === "" ? [] : [`It was for names that end in ${JSON.stringify(suffix)}; look at file.name.`]),
        ],
        options: {},
      },
    ];
  }

  #topic(given: Tree): readonly ReadTrigger[] {
    const tree = given.kind === "map" ? (at(given, "topicName") ?? at(given, "arn")) : given;
    const topic = tree === undefined ? null : this.#resources.name(tree);
    if (topic === null) return this.#none(given, "it is not known which topic it is");
    this.#gap(given, `the topic ${topic} becomes events of that type: raise them instead of publishing`);
    if (at(given, "filterPolicy") !== undefined)
      this.#gap(given, "filterPolicy is not taken over; write it into the pattern");
    return [{ on: { kind: "event", pattern: { "detail-type": [topic] }, bus: "default" }, notes: [], options: {} }];
  }

  /** Of several patterns one fits. */
  #filter(given: Tree): JsonObject | null {
    const tree = at(given, "filterPatterns");
    if (tree === undefined) return null;
    const patterns = itemsOf(tree).map((one) => jsonOf(one, this.#resources));
    const filter = patterns.length === 1 ? (patterns[0] ?? null) : { $or: patterns };
    const flaw = isJsonObject(filter) ? patternFlaw(filter) : "filterPatterns is not a list of patterns";
    if (flaw === null && isJsonObject(filter)) return filter;
    this.#gap(tree, flaw ?? "");
    return null;
  }

  #within(tree: Tree | undefined, otherwise: number, max: number): number {
    const number = numberOf(tree) ?? otherwise;
    const fit = within(number, 1, max);
    if (tree !== undefined && fit !== number) this.#gap(tree, `${number} is ${fit} here: from 1 to ${max}`);
    return fit;
  }

  #none(tree: Tree, says: string): readonly ReadTrigger[] {
    this.#gap(tree, says);
    return [];
  }

  #gap({ line }: Tree, says: string): void {
    this.#gaps.push({ line, says });
  }
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

export function within(number: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Math.round(number)));
}

/**
 * AWS' cron has six fields, `?`, and Sunday as 1; ours has five, and Sunday as 0. A year that is not `*` stays, and is refused.
 *
 * Knowledge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 */
function unixCron(text: string): string {
  const [, fields] = /^cron\((.*)\)$/.exec(text.trim()) ?? [];
  if (fields === undefined) return text.trim();
  const parts = fields.trim().split(/\s+/);
  const [minute = "", hour = "", day = "", month = "", weekday = "", year] = parts;
  const days = weekday.replaceAll(/(?<![#/\w])[1-7](?!\w)/g, (one) => String(Number(one) - 1));
  const ours = [minute, hour, day, month, days].map((field) => (field === "?" ? "*" : field));
  return [...ours, ...(year === undefined || year === "*" ? [] : [year])].join(" ");
}

import {
  ConsumerReport,
  type ConsumerReport as Report,
  NodeReport,
  QueueReport,
  RuleReport,
  WhyReport,
} from "@tidings/contract";
import { Type } from "@tidings/contract";
import { json, refusal, unknownThing } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import { toDetails } from "#doors/http/message-view.ts";
import type { Routes } from "#doors/http/route.ts";
import { DEFAULT_BUS } from "#domain/arn.ts";
import { parseMessageId } from "#domain/ids.ts";
import { readersOf } from "#observers/metrics/lag.ts";
import type { MessageDesk, Why } from "#pipeline/message-desk.ts";
import type { RuleLoad } from "#rules/rule-loads.ts";
import type { Store } from "#ports/store.ts";

/** A recipient's newest messages that are explained at once: the question is about one of the last few. */
const EXPLAINED_MAX = 5;

/** For whoever runs it: why, and how far everything has come. */
export function registerAdmin(
  routes: Routes,
  { store, desk, clock, nodes, rules }: Pick<HttpHouse, "store" | "desk" | "clock" | "nodes" | "rules">,
): void {
  const since = clock.nowMs();
  routes.add({
    method: "GET",
    path: "/admin/why",
    tag: "admin",
    scope: "full",
    summary: "Did it arrive, and if not, why not?",
    query: Type.Object({
      message: Type.Optional(Type.String({ description: "Message id" })),
      recipient: Type.Optional(Type.String({ description: "User id or address: their newest messages" })),
    }),
    answers: { 200: { says: "The answer, the rule that decided, and each step", body: WhyReport } },
    faults: ["thing.unknown"],
    handle: async ({ query }) => {
      if ((query.message === undefined) === (query.recipient === undefined)) {
        return refusal("request.invalid", 'Give either "message" or "recipient".');
      }
      const whys =
        query.recipient === undefined
          ? await whyMessage(desk, query.message ?? "")
          : await whyRecipient(store, desk, query.recipient);
      return whys.length === 0 ? unknownThing("message") : json(200, { results: whys.map(toReport) });
    },
  });

  routes.add({
    method: "GET",
    path: "/admin/queues",
    tag: "admin",
    scope: "full",
    summary: "Depth and age of every queue and lane",
    answers: { 200: { says: "The queues", body: QueueReport } },
    handle: async () => {
      const depths = await store.depths();
      return json(200, {
        queues: depths.map(({ oldestReadyMs, ...depth }) => ({ ...depth, oldestReady: oldestReadyMs })),
      });
    },
  });

  routes.add({
    method: "GET",
    path: "/admin/nodes",
    tag: "admin",
    scope: "full",
    summary: "The nodes that share the store, as this one sees them",
    answers: { 200: { says: "The nodes, oldest first", body: NodeReport } },
    handle: () =>
      json(200, {
        workers: nodes.workers,
        nodes: nodes.list().map(({ startedMs, seenMs, isLive, isSelf, ...node }) => {
          return { ...node, started: startedMs, seen: seenMs, live: isLive, self: isSelf };
        }),
      }),
  });

  routes.add({
    method: "GET",
    path: "/admin/consumers",
    tag: "admin",
    scope: "full",
    summary: "How far each reader of the journal is, and how far behind",
    answers: { 200: { says: "The consumers", body: ConsumerReport } },
    handle: async () => json(200, await consumersOf(store, clock.nowMs())),
  });

  routes.add({
    method: "GET",
    path: "/admin/rules",
    tag: "admin",
    scope: "full",
    summary: "What of each rule waits, gave up and was done",
    query: Type.Object({
      bus: Type.Optional(Type.String({ description: "With `name`: only this rule" })),
      name: Type.Optional(Type.String()),
    }),
    answers: { 200: { says: "The rules that have something to show, or the one asked for", body: RuleReport } },
    handle: async ({ query: { bus = DEFAULT_BUS, name } }) => {
      const loads = name === undefined ? await rules.loads.all() : [await rules.loads.of({ bus, name })];
      return json(200, { since, rules: loads.map(loadOf) });
    },
  });
}

async function whyMessage(desk: MessageDesk, text: string): Promise<readonly Why[]> {
  const id = parseMessageId(text);
  const why = id === null ? null : await desk.why(id);
  return why === null ? [] : [why];
}

async function whyRecipient(store: Store, desk: MessageDesk, recipient: string): Promise<readonly Why[]> {
  const { messages } = await store.listMessages({ recipient, archived: true }, { after: null, limit: EXPLAINED_MAX });
  const whys = await Promise.all(messages.map(({ id }) => desk.why(id)));
  return whys.filter((why) => why !== null);
}

function toReport({ record, answer, rule, deadline, steps }: Why) {
  return {
    message: toDetails(record),
    answer,
    rule,
    deadline:
      deadline === null ? null : { at: deadline.atMs, late: deadline.late, lateBy: deadline.byMs, rule: deadline.rule },
    steps: steps.map(({ atMs, type, sentence }) => ({ at: atMs, type, sentence })),
  };
}

function loadOf({ oldestMs, ...load }: RuleLoad) {
  return { ...load, oldest: oldestMs };
}

/** Checkpoints with their lag in events and in time (the iterator age). */
export async function consumersOf(store: Store, nowMs: number): Promise<Report> {
  const [{ last }, readers] = await Promise.all([store.journalBounds(), readersOf(store, nowMs)]);
  const consumers = readers.map(({ updatedMs, ...reader }) => ({ ...reader, updated: updatedMs }));
  return { last, consumers };
}

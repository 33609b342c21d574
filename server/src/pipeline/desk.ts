import type { Draft } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { DocumentKey } from "#domain/document.ts";
import type { RecordedEvent } from "#domain/event.ts";
import { type MessageId, newRequestId, type RequestId, soleMessageId } from "#domain/ids.ts";
import { invariant } from "#domain/invariant.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { MessageRecord } from "#domain/message.ts";
import { bornEvents, messageJob, newMessage, type Times } from "#pipeline/accept.ts";
import type { Canceled, MessageDesk, Output, Resent, Why } from "#pipeline/message-desk.ts";
import { COLLAPSING, documentId } from "#pipeline/collapse.ts";
import { copyFor } from "#pipeline/claim-check.ts";
import type { Plan, Plans } from "#pipeline/plan.ts";
import { readProgress } from "#pipeline/progress.ts";
import type { Providers } from "#pipeline/providers.ts";
import { render, type RenderHouse } from "#pipeline/render.ts";
import { type Person, route, wayOf } from "#pipeline/route.ts";
import { readRestored } from "#pipeline/restored.ts";
import type { Revocations } from "#pipeline/revocations.ts";
import { MESSAGE_QUEUE } from "#pipeline/stages.ts";
import { tell } from "#pipeline/tell.ts";
import type { BlobStore } from "#ports/blob-store.ts";

/** A person who sends again means it: at once, and with no deadline. */
const AT_ONCE: Times = { dueMs: 0, deadline: null };
/** Events of one message that are read; more than any message has in its 72 hours. */
const HISTORY_MAX = 1_000;

export type DeskHouse = RenderHouse & {
  readonly engine: Engine;
  readonly blobs: BlobStore;
  readonly plans: Plans;
  readonly providers: Providers;
  readonly revocations: Revocations;
};

/** The `MessageDesk` on the engine: everything that changes something is one commit. */
export class Desk implements MessageDesk {
  readonly #house: DeskHouse;

  constructor(house: DeskHouse) {
    this.#house = house;
  }

  /** Takes the message's job away if nobody holds it, in the same commit as its last state. */
  async cancel(id: MessageId): Promise<Canceled> {
    const { store, clock } = this.#house.engine.parts;
    const record = await this.#record(id);
    if (record === null) return { kind: "unknown" };
    const timeMs = clock.nowMs();
    const draft: Draft = {
      take: id,
      deletes: await this.#collapsing(record),
      patches: [{ id, status: "CANCELED", canceledMs: timeMs }],
      events: [{ type: "message.canceled", subject: id, timeMs, data: "{}", traceparent: null }],
    };
    const verdict = await this.#house.engine.commit(draft);
    const [now] = await store.messages([id]);
    // Forgotten in between, by retention.
    if (!now) return { kind: "unknown" };
    // Refused and yet done by us: the answer to the first try was lost.
    const isOurs = now.status === "CANCELED" && now.canceledMs === timeMs;
    return { kind: verdict.kind === "committed" || isOurs ? "canceled" : "refused", record: now };
  }

  /** A request of its own with the same text, for the one recipient of the original. */
  async resend(id: MessageId, share: string): Promise<Resent> {
    const { engine } = this.#house;
    const { clock, dice } = engine.parts;
    const record = await this.#record(id);
    if (record === null) return { kind: "unknown" };
    const original = await this.#plan(record.requestId);
    if (original === null) return { kind: "unknown" };
    const nowMs = clock.nowMs();
    const requestId = newRequestId(nowMs, dice.hex(12));
    const copy = await copyFor(this.#house.blobs, requestId, original);
    const plan: Plan = { ...original, id: requestId, acceptedMs: nowMs, traceparent: null, lane: "transactional" };
    const message = newMessage({
      id: soleMessageId(requestId),
      plan,
      toIndex: record.toIndex,
      recipient: record.recipient,
      userId: record.userId,
      listId: record.listId,
      delayed: false,
    });
    const again = { type: "message.resent", subject: id, data: JSON.stringify({ as: message.id }) };
    const verdict = await engine.submit({
      requests: [
        { id: requestId, body: copy.body, acceptedMs: nowMs, lane: plan.lane, traceparent: null, archivedMs: null },
      ],
      messages: [
        {
          message,
          job: { job: messageJob(message.id, plan, engine.turn(MESSAGE_QUEUE, plan.lane, share), AT_ONCE), hand: null },
          events: [...bornEvents(message, plan, AT_ONCE), { ...again, timeMs: nowMs, traceparent: null }],
        },
      ],
      blobs: copy.blobs,
    });
    if (verdict.kind === "overloaded") return verdict;
    invariant(verdict.kind === "committed", "a resend has no conditions");
    return { kind: "resent", messageId: message.id };
  }

  async archive(id: RequestId): Promise<boolean> {
    const { store, clock } = this.#house.engine.parts;
    const [request] = await store.requests([id]);
    if (!request) return false;
    if (request.archivedMs === null)
      await this.#house.engine.commit({ archive: [{ request: id, atMs: clock.nowMs() }] });
    return true;
  }

  /**
   * Renders again from what was kept: the request, and the profile and data of the moment when it was routed. The
   * renderer is deterministic, so these are the words that were sent; before routing, those that would be.
   */
  async output(id: MessageId): Promise<readonly Output[] | null> {
    const record = await this.#record(id);
    if (record === null) return null;
    const plan = await this.#plan(record.requestId);
    if (plan === null || plan.compiled === null) return [];
    const events = await this.#history(id);
    const person = await this.#personOf(record, plan, events);
    const used = channelsUsed(events);
    const outputs: Output[] = [];
    for (const leaf of plan.leaves) {
      const way = wayOf(leaf, plan, person, this.#house.providers);
      if (way.kind === "closed") continue;
      const provider = way.providers[0]?.key ?? "";
      if (used.size > 0 && !used.has(way.channel)) continue;
      const words = render({ record, plan }, person, { channel: way.channel, provider }, this.#house);
      if (!words.ok) continue;
      const { title, html, text, blocks } = words.rendered;
      outputs.push({ channel: way.channel, provider, title, html, text, blocks, content: words.content });
    }
    return outputs;
  }

  async why(id: MessageId): Promise<Why | null> {
    const record = await this.#record(id);
    if (record === null) return null;
    const { store } = this.#house.engine.parts;
    const [events, [job]] = await Promise.all([this.#history(id), store.jobs([id])]);
    return tell(record, events, job ?? null, job?.state === "parked" ? await readRestored(store) : null);
  }

  /** What is cancelled does not stand for older ones of its kind. */
  async #collapsing(record: MessageRecord): Promise<readonly DocumentKey[]> {
    const [job] = await this.#house.engine.parts.store.jobs([record.id]);
    const order = job ? readProgress(job.payload, 0).progress.deadline?.order : undefined;
    const plan = order === undefined ? null : await this.#plan(record.requestId);
    if (order === undefined || plan === null) return [];
    return [{ collection: COLLAPSING, id: documentId(record, plan, order, this.#house.secrets) }];
  }

  async #record(id: MessageId): Promise<MessageRecord | null> {
    const [record] = await this.#house.engine.parts.store.messages([id]);
    return record ?? null;
  }

  async #plan(id: RequestId): Promise<Plan | null> {
    return (await this.#house.plans.load([id])).get(id) ?? null;
  }

  #history(id: MessageId): Promise<readonly RecordedEvent[]> {
    return this.#house.engine.parts.store.eventsOf(id, HISTORY_MAX);
  }

  async #personOf(record: MessageRecord, plan: Plan, events: readonly RecordedEvent[]): Promise<Person> {
    const job = {
      key: record.id,
      queue: "",
      lane: plan.lane,
      payload: "",
      traceparent: null,
      attempt: 1,
      fence: 1,
      turn: 0,
      group: null,
      enqueuedMs: 0,
    };
    const [now] = await route([{ job, record, plan }], this.#house.engine.parts.store, this.#house.revocations);
    invariant(now !== undefined, "a batch of one has one person");
    const routed = events.findLast((event) => event.type === "message.routed");
    if (routed === undefined) return now;
    const { profile, data } = JSON.parse(routed.data) as { profile: JsonObject; data: Json };
    // What closed a way meanwhile does not change what was said then.
    return { ...now, profile, suppressions: new Map(), ...(isJsonObject(data) ? { data } : {}) };
  }
}

/** The channels that were really tried; empty when none was. */
function channelsUsed(events: readonly RecordedEvent[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (const event of events) {
    if (event.type !== "message.sent" && event.type !== "message.retrying" && event.type !== "message.refused")
      continue;
    const { channel } = JSON.parse(event.data) as JsonObject;
    if (typeof channel === "string") used.add(channel);
  }
  return used;
}

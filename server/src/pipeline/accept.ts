/**
 * Accept: a checked call becomes durable, and only then a promise.
 *
 *     call ──look──▶ refused (a sentence, nothing written)
 *        └──▶ large fields to the blob store ──▶ commit { request, message or fan-out job, event, idempotency record }
 *                                                   ├──▶ accepted: 202
 *                                                   ├──▶ repeated: the first answer again
 *                                                   └──▶ overloaded, or the store's fault: nothing written
 *
 * If the process dies before the commit, blobs may be orphans (the collector finds them); after it, everything that is
 * needed to go on is in the store, and usually the message is in the next stage's hands already.
 */
import type { DraftEffects } from "#engine/draft.ts";
import type { Engine } from "#engine/engine.ts";
import type { StageRunner } from "#engine/stage-runner.ts";
import type { Deadline, DeadlineDefaults } from "#domain/deadline.ts";
import { type NewEvent, newEvent } from "#domain/event.ts";
import { type MessageId, newRequestId, type RequestId, soleMessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Lane, NewJob } from "#domain/job.ts";
import { INLINE_FIELD_BYTES_MAX } from "#domain/limits.ts";
import type { NewMessage } from "#domain/message.ts";
import type { SendMessage, Target } from "#domain/notification.ts";
import { type Problem, problem } from "#domain/problem.ts";
import { extractAttachments, fileBlob } from "#pipeline/attachments.ts";
import type { ExpandCarry } from "#pipeline/expand.ts";
import { checkSend } from "#pipeline/check-send.ts";
import { CollapseOrder, collapsePuts, fanOutPuts } from "#pipeline/collapse.ts";
import type { MessageCarry } from "#pipeline/message-stage.ts";
import { type CheckedIn, checkIn } from "#pipeline/claim-check.ts";
import { eventName, type Plan, planOf } from "#pipeline/plan.ts";
import { unbegun } from "#pipeline/progress.ts";
import { EXPAND_QUEUE, MESSAGE_QUEUE, TRANSACTIONAL_RECIPIENTS_MAX } from "#pipeline/stages.ts";
import type { Tally } from "#pipeline/tally.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { OnceRecord } from "#ports/store.ts";

/** One call of `POST /send`, its schema already checked. */
export type SendCall = {
  /** The body exactly as it came, JSON text; this is what is stored. */
  readonly text: string;
  readonly message: SendMessage;
  readonly traceparent: string | null;
  /** Who pays for it in the lanes: the API key's id. */
  readonly share: string;
  /** The idempotency record without status and body, which accept fills in; null when no key was given. */
  readonly once: Pick<OnceRecord, "key" | "fingerprint" | "expiresMs"> | null;
};

export type Accepted =
  | { readonly kind: "accepted"; readonly requestId: RequestId }
  /** The same key was answered before; replay it verbatim if the fingerprint is the same. */
  | { readonly kind: "repeated"; readonly record: OnceRecord }
  | { readonly kind: "overloaded"; readonly retryAfterMs: number }
  | { readonly kind: "refused"; readonly problem: Problem };

/** @throws {StoreFault} when the store cannot commit now. */
export interface Accept {
  accept(call: SendCall): Promise<Accepted>;
}

export interface DraftSend {
  /**
   * The same call to be committed together with something else, by whoever asks. Its large fields are in the blob store
   * when this resolves, as orphans until the commit names them. @param id of the request, given by whoever asks.
   */
  draft(call: Omit<SendCall, "once">, id: RequestId): Promise<SendDraft>;
}

export type SendDraft =
  | { readonly kind: "draft"; readonly effects: DraftEffects; readonly lane: Lane }
  | { readonly kind: "refused"; readonly problem: Problem };

export class Accepter implements Accept, DraftSend {
  readonly #engine: Engine;
  readonly #blobs: BlobStore;
  readonly #messages: StageRunner<MessageCarry>;
  readonly #fanOuts: StageRunner<ExpandCarry>;
  readonly #tally: Tally;
  readonly #secrets: Secrets;
  readonly #deadlines: DeadlineDefaults;
  readonly #order = new CollapseOrder();

  constructor(
    engine: Engine,
    blobs: BlobStore,
    stages: { readonly messages: StageRunner<MessageCarry>; readonly fanOuts: StageRunner<ExpandCarry> },
    rest: { readonly tally: Tally; readonly secrets: Secrets; readonly deadlines: DeadlineDefaults },
  ) {
    this.#tally = rest.tally;
    this.#secrets = rest.secrets;
    this.#deadlines = rest.deadlines;
    this.#engine = engine;
    this.#blobs = blobs;
    this.#messages = stages.messages;
    this.#fanOuts = stages.fanOuts;
  }

  async accept(call: SendCall): Promise<Accepted> {
    const { clock, dice } = this.#engine.parts;
    const id = newRequestId(clock.nowMs(), dice.hex(12));
    const drafted = await this.draft(call, id);
    if (drafted.kind === "refused") return drafted;
    const { effects, lane } = drafted;
    const once =
      call.once === null ? {} : { once: { ...call.once, status: 202, body: JSON.stringify({ requestId: id }) } };
    const verdict = await this.#engine.submit({ ...effects, ...once });
    if (verdict.kind === "committed") {
      this.#tally.accepted(lane);
      return { kind: "accepted", requestId: id };
    }
    if (effects.blobs !== undefined) await this.#blobs.delete(effects.blobs.map((blob) => blob.id));
    if (verdict.kind === "repeated" || verdict.kind === "overloaded") return verdict;
    throw new Error(`broken invariant: an accepted call has no condition that answers ${verdict.kind}`);
  }

  async draft(call: Omit<SendCall, "once">, id: RequestId): Promise<SendDraft> {
    const nowMs = this.#engine.parts.clock.nowMs();
    const checked = checkSend(call.message, this.#deadlines, nowMs);
    if (checked.kind === "refused") return checked;
    const claims = await this.#checkClaims(id, call);
    if ("code" in claims) return { kind: "refused", problem: claims };
    const { body, blobs } = claims;
    const lane = laneOf(checked.targets);
    const request = { id, acceptedMs: nowMs, lane, traceparent: call.traceparent };
    const plan = planOf(request, claims.message, checked, call.text.length);
    const times = { dueMs: checked.dueMs, deadline: this.#ordered(checked, nowMs) };
    const effects = {
      requests: [{ ...request, body, archivedMs: null }],
      ...this.#firstStep(plan, call.share, times),
      ...(blobs.length === 0 ? {} : { blobs }),
    };
    return { kind: "draft", effects, lane };
  }

  #ordered({ deadline, dueMs }: Times, nowMs: number): Deadline | null {
    return deadline?.late === "collapse" ? { ...deadline, order: this.#order.next(dueMs, nowMs) } : deadline;
  }

  /** One person: the message itself. More: a fan-out job that will make the messages. */
  #firstStep(plan: Plan, share: string, times: Times): DraftEffects {
    const sole = plan.targets.length === 1 ? plan.targets[0] : undefined;
    if (sole?.kind === "person") return this.#message(plan, sole, share, times);
    const { dueMs, deadline } = times;
    const marks = fanOutPuts(plan.id, deadline, plan.acceptedMs);
    const job: NewJob = {
      key: `${EXPAND_QUEUE}:${plan.id}`,
      queue: EXPAND_QUEUE,
      lane: plan.lane,
      turn: this.#fanOuts.turn(plan.lane, shareOf(plan, share)),
      dueMs: 0,
      payload: JSON.stringify({
        dueMs,
        share: shareOf(plan, share),
        ...(deadline === null ? {} : { deadline }),
      }),
      traceparent: plan.traceparent,
    };
    return {
      jobs: [this.#fanOuts.offer(job, { plan })],
      events: [
        event("request.accepted", plan.id, plan, { recipients: plan.targets.length, event: eventName(plan.message) }),
      ],
      ...(marks.length === 0 ? {} : { puts: marks }),
    };
  }

  #message(plan: Plan, target: Target & { kind: "person" }, share: string, { dueMs, deadline }: Times): DraftEffects {
    const message = newMessage({
      id: soleMessageId(plan.id),
      plan,
      toIndex: 0,
      recipient: recipientOf(target) ?? plan.id,
      userId: target.userId,
      listId: target.listId,
      delayed: dueMs > plan.acceptedMs,
    });
    const job = this.#messages.offer(
      messageJob(message.id, plan, this.#messages.turn(plan.lane, shareOf(plan, share)), { dueMs, deadline }),
      { plan, record: message },
    );
    const puts = collapsePuts([message], plan, deadline, this.#secrets, plan.acceptedMs);
    return {
      messages: [{ message, job, events: bornEvents(message, plan, { dueMs, deadline }) }],
      ...(puts.length === 0 ? {} : { puts }),
    };
  }

  /** Files and fields over the inline limit go to the blob store before the commit that names them (claim check). */
  async #checkClaims(id: RequestId, call: Omit<SendCall, "once">): Promise<Claims | Problem> {
    const extracted = extractAttachments(call.message, (index) => fileBlob(id, index));
    if (extracted.kind === "refused") return extracted.problem;
    if (extracted.kind === "none" && call.text.length <= INLINE_FIELD_BYTES_MAX) {
      return { body: call.text, message: call.message, blobs: [] };
    }
    const message = extracted.kind === "none" ? call.message : extracted.message;
    const files = extracted.kind === "none" ? [] : [...extracted.files];
    for (const { upload, blob } of extracted.kind === "none" ? [] : extracted.uploads) {
      const bytes = await this.#blobs.get(upload);
      if (bytes === null) {
        return problem("request.invalid", `there is no upload ${upload}; POST /attachments keeps one for an hour`);
      }
      files.push({ blob, bytes });
    }
    const untouched = extracted.kind === "none";
    return { message, ...(await checkIn(this.#blobs, { id, message, files, text: untouched ? call.text : null })) };
  }
}

type Claims = CheckedIn & {
  /** What the stages work with: whole, but for attachments, which are blobs. */
  readonly message: SendMessage;
};

/** When a message may first be sent, and until when. */
export type Times = { readonly dueMs: number; readonly deadline: Deadline | null };

/** The user id, or the address of someone who has none; null for a bare device token and the like. */
export function recipientOf(target: Target & { kind: "person" }): string | null {
  if (target.userId !== null) return target.userId;
  for (const key of ["email", "phone_number"]) {
    const address = target.to[key];
    if (typeof address === "string") return address;
  }
  return null;
}

/** Who competes with whom in a lane: a list for bulk, a tenant or a key for the rest. */
export function shareOf(plan: Plan, share: string): string {
  const first = plan.targets[0];
  if (first?.kind === "list") return `list:${first.listId}`;
  if (first?.kind === "pattern") return `pattern:${first.pattern}`;
  const context: JsonObject | undefined = plan.message.context;
  const tenant = context === undefined ? undefined : context["tenant_id"];
  return typeof tenant === "string" ? `tenant:${tenant}` : share;
}

/** A message's one job: its key is the message's id, so cancelling takes the job away. */
export function messageJob(id: MessageId, plan: Plan, turn: number, { dueMs, deadline }: Times): NewJob {
  const payload = unbegun(deadline);
  return { key: id, queue: MESSAGE_QUEUE, lane: plan.lane, turn, dueMs, payload, traceparent: plan.traceparent };
}

export function newMessage(born: {
  readonly id: MessageId;
  readonly plan: Plan;
  readonly toIndex: number;
  readonly recipient: string;
  readonly userId: string | null;
  readonly listId: string | null;
  readonly delayed: boolean;
}): NewMessage {
  const { message, id: requestId } = born.plan;
  return {
    id: born.id,
    requestId,
    toIndex: born.toIndex,
    recipient: born.recipient,
    userId: born.userId,
    listId: born.listId,
    event: eventName(message),
    notification: message.template ?? "",
    traceId: message.metadata?.trace_id ?? null,
    tags: message.metadata?.tags ?? [],
    status: born.delayed ? "DELAYED" : "ENQUEUED",
    enqueuedMs: born.plan.acceptedMs,
  };
}

export function bornEvents(message: NewMessage, plan: Plan, { dueMs, deadline }: Times): readonly NewEvent[] {
  const accepted = event("message.accepted", message.id, plan, {
    recipient: message.recipient,
    request: plan.id,
    event: message.event,
    ...(message.listId === null ? {} : { list: message.listId }),
    ...(deadline === null ? {} : { deadline }),
  });
  return dueMs > plan.acceptedMs
    ? [accepted, event("message.delayed", message.id, plan, { untilMs: dueMs })]
    : [accepted];
}

function event(type: string, subject: string, plan: Plan, data: JsonObject): NewEvent {
  return newEvent(type, subject, plan.acceptedMs, data, plan.traceparent);
}

function laneOf(targets: readonly Target[]): Lane {
  const persons = targets.every((target) => target.kind === "person");
  return persons && targets.length <= TRANSACTIONAL_RECIPIENTS_MAX ? "transactional" : "bulk";
}

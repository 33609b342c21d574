import type { Outcome } from "#domain/outcome.ts";
import type { Envelope } from "#ports/provider.ts";
import type { WebAnswer, WebCall, WebCaller } from "#ports/web-caller.ts";
import { type Life, ScriptedProvider } from "../../support/world.ts";
import type { Machine } from "../machine.ts";
import { type Label, labelIn } from "./label.ts";
import type { RuleLedger } from "./rule-ledger.ts";

const SLOW_MS_MAX = 3_000;
/** Longest answer of an endpoint: longer than a lease of 30 s. */
const STALL_MS_MAX = 40_000;
/** Longest way from the answer of a call to the commit that tells of it: full disks, slow stores, and their next tries. */
const WINDOW_MS_MAX = 90_000;

const NEVER = new Promise<never>(() => {});

type Post = { readonly label: Label; readonly startMs: number; endMs: number | null; taken: boolean };

/** Whom targets lead to: people with mailboxes, and endpoints that answer badly. */
export class Outside {
  readonly mail = new ScriptedProvider("smtp");
  readonly #machine: Machine;
  readonly #rules: RuleLedger;
  readonly #posts: Post[] = [];

  constructor(machine: Machine, rules: RuleLedger) {
    this.#machine = machine;
    this.#rules = rules;
    this.mail.answer = (envelope) => this.#deliver(envelope);
  }

  #deliver({ content, messageId }: Envelope): Outcome {
    const label = labelIn(JSON.stringify(content));
    if (label !== null) this.#rules.sent(label, messageId);
    return { kind: "sent", reference: {} };
  }

  /** Endpoints as one process reaches them. */
  caller(life: () => Life): WebCaller {
    return {
      flaw: () => null,
      post: (call) => this.#post(call, life()),
      async [Symbol.asyncDispose]() {},
    };
  }

  async #post(call: WebCall, life: Life): Promise<WebAnswer> {
    if (life.over) return await NEVER;
    const machine = this.#machine;
    const { counts, dice } = machine;
    const label = labelIn(call.body) ?? "nobody's";
    this.#excuse(label);
    this.#rules.posting(label);
    const post: Post = { label, startMs: machine.nowMs, endMs: null, taken: false };
    this.#posts.push(post);
    const what = machine.calm ? 1 : dice.next();
    if (what < 0.05) await machine.wait(Math.ceil(dice.next() * STALL_MS_MAX));
    else if (what < 0.2) await machine.wait(Math.ceil(dice.next() * SLOW_MS_MAX));
    post.endMs = machine.nowMs;
    const fails = machine.happens(0.2);
    if (!fails) {
      post.taken = true;
      this.#rules.posted(label);
    } else counts.add("webhook.failed");
    if (life.over) return await NEVER;
    const tookMs = post.endMs - post.startMs;
    if (fails && dice.next() < 0.5) return { kind: "failed", reason: "nobody answers", tookMs };
    return { kind: "answered", status: fails ? 503 : 200, body: "", retryAfterMs: null, tookMs };
  }

  /** Heartbeats may have found nobody while the last call was under way. */
  #excuse(label: Label): void {
    const machine = this.#machine;
    for (const post of this.#posts) {
      if (post.label !== label) continue;
      const untilMs = Math.min(machine.nowMs, (post.endMs ?? machine.nowMs) + WINDOW_MS_MAX);
      if (machine.mayHaveLapsed(post.startMs, untilMs)) this.#rules.excused.add(label);
    }
  }

  /** The process has died: what was in a call, or was answered a moment ago, may be done again. */
  died(): void {
    const machine = this.#machine;
    for (const { label, endMs } of this.#posts)
      if (endMs === null || machine.nowMs - endMs <= WINDOW_MS_MAX) this.#rules.excused.add(label);
  }
}

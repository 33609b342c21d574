import type { Channel, Content } from "#domain/content.ts";
import type { LatePolicy } from "#domain/deadline.ts";
import type { MessageId, RequestId } from "#domain/ids.ts";
import type { MessageRecord } from "#domain/message.ts";
import type { Problem } from "#domain/problem.ts";

/** What can be asked of and done to messages that exist. The doors show it in their own forms. */
export interface MessageDesk {
  /** Works until a worker has the message in hand; `refused` carries the record as it is. */
  cancel(id: MessageId): Promise<Canceled>;
  /** Repeats recipient and content as a new request of its own; the original stays as it is. */
  resend(id: MessageId, share: string): Promise<Resent>;
  /** Hides all messages of a request from listings. False when there is no such request. */
  archive(id: RequestId): Promise<boolean>;
  /** The words as they were, or would be, rendered, a row per channel; null when there is no such message. */
  output(id: MessageId): Promise<readonly Output[] | null>;
  /** The one answer to "did she get it, and if not, why not?"; null when there is no such message. */
  why(id: MessageId): Promise<Why | null>;
}

export type Canceled =
  | { readonly kind: "canceled"; readonly record: MessageRecord }
  | { readonly kind: "refused"; readonly record: MessageRecord }
  | { readonly kind: "unknown" };

export type Resent =
  | { readonly kind: "resent"; readonly messageId: MessageId }
  | { readonly kind: "unknown" }
  | { readonly kind: "overloaded"; readonly retryAfterMs: number }
  | { readonly kind: "refused"; readonly problem: Problem };

export type Output = {
  readonly channel: Channel;
  readonly provider: string;
  readonly title: string;
  readonly html: string;
  readonly text: string;
  readonly blocks: readonly { readonly type: string; readonly text: string }[];
  readonly content: Content | null;
};

export type Why = {
  readonly record: MessageRecord;
  /** One sentence for a support engineer. */
  readonly answer: string;
  /** The rule that decided, e.g. "suppression: hard bounce of 2026-11-20 (550 5.1.1 …)"; null if none stood in the way. */
  readonly rule: string | null;
  readonly deadline: WhyDeadline | null;
  /** What happened, oldest first. */
  readonly steps: readonly { readonly atMs: number; readonly type: string; readonly sentence: string }[];
};

export type WhyDeadline = {
  readonly atMs: number;
  readonly late: LatePolicy;
  /** By how much it was late when that was decided; null: in time so far. */
  readonly byMs: number | null;
  /** What was decided, and who asked for it; null when it was in time. */
  readonly rule: string | null;
};

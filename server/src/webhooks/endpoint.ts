import type { Document, DocumentPut } from "#domain/document.ts";
import type { Secrets } from "#ports/secrets.ts";

/** Endpoints: id = `Endpoint.id`, body = `Endpoint`. Written by the desk. */
export const WEBHOOKS = "webhooks";
/** Endpoints that were deleted, and whose logs are to be forgotten: id = theirs. */
export const WEBHOOK_TRASH = "webhook_trash";
/** Who manages the rules of endpoints (`Rule.managedBy`). */
export const MANAGER = "webhooks";

/** Who wants to be called about what happens, and how. */
export type Endpoint = {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly state: "enabled" | "disabled";
  /** Why it is disabled; null while it is not. */
  readonly disabledBy: "410" | "hand" | null;
  /** What a call looks like: Standard Webhooks, or Courier's own event webhooks. */
  readonly format: "standard" | "courier";
  /** Newest first, at most two. */
  readonly secrets: readonly SecretRef[];
  /** Lets the URL lead to this machine and its network. */
  readonly allowPrivate: boolean;
  /** Sent with each call; they may hold a password, so nobody is shown the values. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Which events it gets, by a rule that is managed with it; null: only what other rules give it. */
  readonly subscription: { readonly bus: string; readonly pattern: string } | null;
  readonly createdMs: number;
  readonly modifiedMs: number;
};

/** By which a secret is made again. It is never kept itself: a copy of the documents signs nothing. */
export type SecretRef = {
  readonly nonce: string;
  readonly createdMs: number;
  /** Until when it still signs, since there is a newer one; null: it is the newest. */
  readonly untilMs: number | null;
};

export function endpointOf(document: Document): Endpoint {
  // Only the desk writes there.
  return JSON.parse(document.body) as Endpoint;
}

export function endpointPut(endpoint: Endpoint): DocumentPut {
  const { id, modifiedMs } = endpoint;
  return { collection: WEBHOOKS, id, body: JSON.stringify(endpoint), when: "always", nowMs: modifiedMs };
}

/** `whsec_` and 256 bits in base64 (Standard Webhooks). */
export function secretText({ id }: Pick<Endpoint, "id">, { nonce }: SecretRef, secrets: Secrets): string {
  return `whsec_${secrets.derive(`webhook:${id}:${nonce}`)}`;
}

/**
 * Those that sign now. Oldest first: whoever looks at one signature only has time until the old secret is over.
 */
export function signingSecrets(endpoint: Endpoint, nowMs: number, secrets: Secrets): readonly string[] {
  return endpoint.secrets
    .filter(({ untilMs }) => untilMs === null || untilMs > nowMs)
    .map((ref) => secretText(endpoint, ref, secrets))
    .toReversed();
}

/** Where the managed rule of an endpoint is. */
export function ruleAt(id: string, bus: string): { readonly bus: string; readonly name: string } {
  return { bus, name: `webhook-${id}` };
}

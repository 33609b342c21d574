/**
 * What one try at a provider came to. A refusal is news, not an exception: only a bug rejects the promise.
 *
 * - `sent`: the provider took responsibility. `reference` holds its own ids for the message.
 * - `retry`: bad luck that may pass. `afterMs` is the provider's own wish (Retry-After, RFC 9110 §10.2.3). `whole` says
 *   that it is the provider that fails, not this one message (no connection, 421, 429, 5xx): its breaker counts these.
 * - `refused`: will never work for this recipient or this message. `bounce: "hard"` means that the address does not
 *   exist (RFC 3463 5.1.x) and must be suppressed.
 * - `policy`: the provider refuses *us* (reputation, authentication, quota). The message may be retried, but nothing
 *   more should be sent through this provider until `pauseMs` have passed; the recipient is not to blame.
 * - `unknown`: handed over, but no answer came. It may have been delivered; the sender chooses what happens.
 */
export type Outcome =
  | { readonly kind: "sent"; readonly reference: Readonly<Record<string, string>> }
  | { readonly kind: "retry"; readonly reason: string; readonly afterMs?: number; readonly whole?: boolean }
  | { readonly kind: "refused"; readonly reason: string; readonly bounce?: "hard" }
  | { readonly kind: "policy"; readonly reason: string; readonly pauseMs: number }
  | { readonly kind: "unknown"; readonly reason: string };

import type { Outcome } from "#domain/outcome.ts";
import { enhancedCode, quoteReply, type Reply } from "./reply.ts";

/** Rate and reputation limits of the large mailbox providers last minutes; asking sooner makes them longer. */
export const POLICY_PAUSE_MS_TEMPORARY = 5 * 60 * 1000;
/** A permanent policy answer needs a person: a DNS record, a delisting, a plan. Long enough not to add to the count. */
export const POLICY_PAUSE_MS_PERMANENT = 30 * 60 * 1000;
/** A wrong password: the operator changes a setting and restarts, or the server's directory comes back. */
export const POLICY_PAUSE_MS_AUTH = 60 * 1000;
/** "Maximum sending rate exceeded" is counted per second (Amazon SES); a few let the bucket fill again. */
export const POLICY_PAUSE_MS_THROTTLE = 5 * 1000;
/** "Too much mail from": Postfix counts mails and recipients by the minute. */
export const POLICY_PAUSE_MS_RATE = 60 * 1000;
/** Greylisting servers commonly want five minutes between the first and the second try. */
export const GREYLIST_RETRY_MS = 5 * 60 * 1000;

/** What a reply answers. `connect`: greeting, EHLO, STARTTLS. `data`: the go-ahead. `content`: the mail itself. */
export type Step = "connect" | "auth" | "mail" | "rcpt" | "data" | "content";

/**
 * What a negative reply means for the message.
 *
 * The enhanced code (RFC 3463, and what Gmail and Outlook add to it) decides before the basic one, and words only
 * where codes are known to be ambiguous.
 */
export function classify(reply: Reply, step: Step): Outcome {
  const reason = quoteReply(reply);
  const enhanced = enhancedCode(reply);
  const policyMs = policyPauseMs(reply.code, enhanced, reason, step);
  if (policyMs > 0) return { kind: "policy", reason, pauseMs: policyMs };
  if (reply.code < 500) {
    if (isGreylisting(reason)) return { kind: "retry", reason, afterMs: GREYLIST_RETRY_MS };
    // 421 and a greeting speak of the server, the rest of this message.
    return reply.code === 421 || step === "connect"
      ? { kind: "retry", reason, whole: true }
      : { kind: "retry", reason };
  }
  // The session lost its order, which says nothing about the message.
  if (reply.code === 503 && !enhanced.startsWith("5.1.")) return { kind: "retry", reason };
  return isUnknownMailbox(reply.code, enhanced, reason, step)
    ? { kind: "refused", reason, bounce: "hard" }
    : { kind: "refused", reason };
}

/** A connection that ended, timed out or made no sense: after the hand-over nobody knows what became of the mail. */
export function connectionLost(reason: string, handedOver: boolean): Outcome {
  return handedOver
    ? { kind: "unknown", reason: `${reason}, after the message was handed over` }
    : { kind: "retry", reason, whole: true };
}

/** How long to leave the provider alone, or 0 when the answer is not about us. */
function policyPauseMs(code: number, enhanced: string, reason: string, step: Step): number {
  if (code === 454 && /throttling|sending rate/i.test(reason)) {
    return /quota/i.test(reason) ? POLICY_PAUSE_MS_PERMANENT : POLICY_PAUSE_MS_THROTTLE;
  }
  if (code === 530 || code === 534 || code === 535 || code === 538) return POLICY_PAUSE_MS_AUTH;
  if (step === "auth" && code >= 500) return POLICY_PAUSE_MS_AUTH;
  if (step === "connect" && code >= 500) return POLICY_PAUSE_MS_PERMANENT;
  if (code < 500 && RATE.test(reason)) return POLICY_PAUSE_MS_RATE;
  if (enhanced.startsWith("4.7."))
    return isGreylisting(reason) || CONNECTION.test(reason) ? 0 : POLICY_PAUSE_MS_TEMPORARY;
  if (enhanced.startsWith("5.7.") && isAboutUs(Number(enhanced.slice(4)), reason)) return POLICY_PAUSE_MS_PERMANENT;
  return 0;
}

/**
 * Which X.7.n speak of the sender: 8 to 13 credentials (RFC 4954, RFC 5248); 20 to 32 DKIM, SPF, PTR, DMARC, bulk
 * (RFC 7372, RFC 8616, Gmail); 57 and 500 to 799 authentication, blocked addresses, tenant reputation (Outlook, 515
 * among them). The rest forbid one recipient or one message. 5.7.1 is everybody's catch-all, so its words decide.
 */
function isAboutUs(n: number, reason: string): boolean {
  if (n === 0 || n === 1) return ABOUT_US.test(reason);
  return (n >= 8 && n <= 13) || (n >= 20 && n <= 32) || n === 57 || (n >= 500 && n <= 799);
}

const ABOUT_US =
  /relay|authenticat|blocked|block ?list|blacklist|listed|reputation|unsolicited|rate limit|\b(?:spf|dkim|dmarc|rbl|dnsbl)\b/i;

/** Postfix says 4.7.0 and means this connection (too many errors), or how many there are of them. */
const CONNECTION =
  /too many (?:errors|(?:concurrent |simultaneous )?(?:smtp )?(?:connections|sessions))|connection (?:count|rate)/i;
const RATE = /too (?:much mail|many (?:messages|recipients)) from/i;

function isGreylisting(reason: string): boolean {
  return /gr[ae]y-?list/i.test(reason);
}

/** RFC 3463 §3.2: codes that say the address does not exist. 5.1.7 and 5.1.8 are about the sender's. */
const NO_SUCH_ADDRESS = new Set(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"]);
const NO_SUCH_WORDS =
  /no such (?:user|recipient|mailbox|address|person)|(?:user|recipient|mailbox|address) (?:is )?(?:unknown|not found|not known|does ?n[o']t exist)|unknown (?:user|recipient|mailbox|address)|does ?n[o']t exist|no mailbox here|invalid (?:recipient|mailbox)/i;

function isUnknownMailbox(code: number, enhanced: string, reason: string, step: Step): boolean {
  if (step !== "rcpt" && step !== "content") return false;
  if (NO_SUCH_ADDRESS.has(enhanced)) return true;
  const vague = enhanced === "" || enhanced === "5.0.0" || enhanced === "5.1.0" || enhanced === "5.5.0";
  return step === "rcpt" && vague && (code === 550 || code === 551 || code === 553) && NO_SUCH_WORDS.test(reason);
}

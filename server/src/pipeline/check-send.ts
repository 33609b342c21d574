import type { Deadline, DeadlineDefaults } from "#domain/deadline.ts";
import { parseDelayUntil } from "#domain/opening-hours.ts";
import { DELAY_MS_MAX, TAG_CHARS_MAX, TAGS_MAX } from "#domain/limits.ts";
import type { SendMessage, Target } from "#domain/notification.ts";
import { type Problem, problem } from "#domain/problem.ts";
import { routingProblem } from "#domain/routing.ts";
import { readDeadline } from "#pipeline/deadline.ts";
import { opensForRecipient } from "#pipeline/opening.ts";
import { readTargets } from "#pipeline/targets.ts";
import { compiledContent } from "#pipeline/compile-cache.ts";
import type { Compiled } from "#templates/compile.ts";

export type Checked =
  | {
      readonly kind: "checked";
      readonly targets: readonly Target[];
      readonly compiled: Compiled | null;
      /** When it may go; the present when at once. Opening hours in the recipient's own zone are decided later. */
      readonly dueMs: number;
      readonly deadline: Deadline | null;
    }
  | { readonly kind: "refused"; readonly problem: Problem };

/** What the schema cannot say: forms of recipients, one of template and content, limits, times, words that compile. */
export function checkSend(message: SendMessage, defaults: DeadlineDefaults, nowMs: number): Checked {
  const targets = readTargets(message.to);
  if ("code" in targets) return { kind: "refused", problem: targets };
  if (message.content === undefined && message.template === undefined) {
    return refused("message needs either content or template");
  }
  if (message.content !== undefined && message.template !== undefined) {
    return refused("message has both content and template; send one of them");
  }
  const wrong = routingWrong(message) ?? metadataWrong(message) ?? timeoutWrong(message);
  if (wrong !== null) return refused(wrong);
  const due = dueOf(message, nowMs);
  if (typeof due === "string") return refused(due);
  const deadline = readDeadline(message, defaults, { nowMs, dueMs: due });
  if (typeof deadline === "string") return refused(deadline);
  const compiled = message.content === undefined ? null : compiledContent(message.content);
  if (compiled !== null && !compiled.ok) {
    const first = compiled.faults[0];
    return refused(first === undefined ? "message.content is not valid" : `message.${first.path}: ${first.problem}`);
  }
  return {
    kind: "checked",
    targets,
    compiled: compiled === null ? null : compiled.template,
    dueMs: due,
    deadline,
  };
}

function refused(sentence: string): Checked {
  return { kind: "refused", problem: problem("request.invalid", sentence) };
}

function routingWrong(message: SendMessage): string | null {
  if (message.routing === undefined) return null;
  if (message.routing.channels.length === 0) return "message.routing.channels is empty: name at least one channel";
  const wrong = routingProblem(message.routing);
  return wrong === null ? null : `message.routing: ${wrong}`;
}

function metadataWrong(message: SendMessage): string | null {
  const tags = message.metadata?.tags ?? [];
  if (tags.length > TAGS_MAX) return `message.metadata.tags has more than ${TAGS_MAX} tags`;
  const long = tags.find((tag) => tag.length > TAG_CHARS_MAX);
  return long === undefined
    ? null
    : `message.metadata.tags: "${long.slice(0, TAG_CHARS_MAX)}…" is longer than ${TAG_CHARS_MAX} characters`;
}

function timeoutWrong(message: SendMessage): string | null {
  const { timeout } = message;
  const unknown: string | undefined = timeout?.unknown;
  if (unknown !== undefined && unknown !== "retry" && unknown !== "hold") {
    return 'message.timeout.unknown must be "retry" or "hold"';
  }
  const given: [string, unknown][] = Object.entries(timeout ?? {})
    .filter(([name]) => TIMED.includes(name))
    .map(([name, value]) => [`timeout.${name}`, value]);
  for (const [name, option] of Object.entries(message.channels ?? {})) {
    given.push([`channels.${name}.timeout`, option.timeout], [`channels.${name}.timeouts`, option.timeouts]);
  }
  for (const [name, option] of Object.entries(message.providers ?? {})) {
    given.push([`providers.${name}.timeouts`, option.timeouts]);
  }
  const wrong = given.find(([, value]) => !isMilliseconds(value));
  return wrong === undefined
    ? null
    : `message.${wrong[0]} must be 0 or more milliseconds, or an object of such numbers`;
}

/** Fields of `timeout` that are times; the others are told apart by name. */
const TIMED = ["message", "provider", "channel", "escalation"];

/** A number of milliseconds, or several by name; what is left out is fine. */
function isMilliseconds(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === "number") return value >= 0;
  return typeof value === "object" && Object.values(value).every((one) => typeof one === "number" && one >= 0);
}

function dueOf(message: SendMessage, nowMs: number): number | string {
  const { delay } = message;
  if (delay === undefined || (delay.duration === undefined && delay.until === undefined)) return nowMs;
  if (delay.duration !== undefined) {
    if (!Number.isFinite(delay.duration) || delay.duration < 0)
      return "message.delay.duration must be 0 or more milliseconds";
    if (delay.duration > DELAY_MS_MAX) return `message.delay.duration is more than ${DELAY_MS_MAX} ms (a year)`;
    return nowMs + Math.ceil(delay.duration);
  }
  if (opensForRecipient(message)) {
    const sample = parseDelayUntil(delay.until ?? "", null, nowMs);
    return sample.ok ? nowMs : `message.delay.until: ${sample.problem}`;
  }
  const until = parseDelayUntil(delay.until ?? "", delay.timezone ?? null, nowMs);
  if (!until.ok) return `message.delay.until: ${until.problem}`;
  if (until.dueMs > nowMs + DELAY_MS_MAX) return "message.delay.until lies more than a year ahead";
  return Math.max(nowMs, until.dueMs);
}

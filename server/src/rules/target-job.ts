import type { NewJob } from "#domain/job.ts";
import type { EventView } from "#rules/event-view.ts";
import type { LiveRule, LiveTarget } from "#rules/live-thing.ts";
import type { TargetCall } from "#rules/target-kind.ts";

/** The queue of deliveries that need work: sends, FIFO queues, whatever could not be done at once. */
export const TARGET_QUEUE = "target";

/** What one target is told of one event. */
export function callOf(rule: LiveRule, { target, fill }: LiveTarget, view: EventView, nowMs: number): TargetCall {
  const { event } = view;
  const { bus, name, arn } = rule;
  return {
    key: `${bus}/${name}/${target.id}:${event.position}:${event.id}`,
    rule: { bus, name },
    target,
    input: fill(view, { ruleArn: arn, ruleName: name, ingestedMs: nowMs }),
    event: {
      id: view.id,
      source: event.source,
      type: event.type,
      timeMs: event.timeMs,
      traceparent: event.traceparent,
    },
  };
}

export function targetJob(call: TargetCall, turn: number): NewJob {
  return {
    key: `${TARGET_QUEUE}:${call.key}`,
    queue: TARGET_QUEUE,
    lane: "transactional",
    turn,
    dueMs: 0,
    payload: JSON.stringify(call),
    traceparent: call.event.traceparent,
  };
}

/** Keys of all jobs of a rule begin so. */
export function jobPrefixOf({ bus, name }: { readonly bus: string; readonly name: string }): string {
  return `${TARGET_QUEUE}:${bus}/${name}/`;
}

/** The rule of a job's key. No name of a bus, a rule or a target has a colon, and only that of a bus may have slashes. */
export function ruleOfJob(key: string): { readonly bus: string; readonly name: string } {
  const path = key.slice(TARGET_QUEUE.length + 1).split(":", 1)[0] ?? "";
  const [bus, name] = [path.split("/").slice(0, -2).join("/"), path.split("/").at(-2)];
  return { bus, name: name ?? "" };
}

/** Who competes with whom for hands: rules. */
export function shareOfRule({ bus, name }: { readonly bus: string; readonly name: string }): string {
  return `rule:${bus}/${name}`;
}

export function readCall(payload: string): TargetCall {
  // Only `targetJob` writes payloads of this queue.
  return JSON.parse(payload) as TargetCall;
}

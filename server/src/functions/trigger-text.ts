import type { TriggerSpec } from "tidings";
import { scheduleText } from "#functions/next-time.ts";

/** What starts a function, in a few words behind its kind. */
export function triggerText(on: TriggerSpec): string {
  switch (on.kind) {
    case "queue":
      return on.queue;
    case "event":
      return on.bus === "default" ? JSON.stringify(on.pattern) : `${JSON.stringify(on.pattern)} on ${on.bus}`;
    case "stream":
      return on.filter === null ? "all events" : JSON.stringify(on.filter);
    case "http":
      return `${on.method} ${on.path}${on.auth === "none" ? " (open)" : ""}`;
    case "schedule":
      return scheduleText(on);
    case "blob":
      return `${on.prefix}*`;
  }
}

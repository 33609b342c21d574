import type { JsonObject } from "#domain/json.ts";

/** A rule as it is kept and shown: which events of a bus, and what is to be done with them. */
export type Rule = {
  readonly bus: string;
  readonly name: string;
  /** The event pattern's text as it was given; null only beside a schedule. */
  readonly pattern: string | null;
  /** Kept and shown, never run: schedules come with automations. */
  readonly schedule: string | null;
  readonly state: "ENABLED" | "DISABLED";
  readonly description: string | null;
  readonly roleArn: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  /** Who looks after it, e.g. `webhooks`: nobody else may change it. Null: whoever may change rules. */
  readonly managedBy: string | null;
  readonly createdMs: number;
  readonly modifiedMs: number;
};

/** What one matching event is given to, once. */
export type Target = {
  /** Unique in its rule. */
  readonly id: string;
  readonly arn: string;
  readonly input: TargetInput;
  readonly retry: { readonly attemptsMax: number; readonly ageMaxMs: number };
  /** A queue that gets what could not be delivered; null: it becomes a dead letter. */
  readonly deadLetterArn: string | null;
  /** For FIFO queues. */
  readonly messageGroupId: string | null;
  /** In EventBridge's form, as it is shown to its clients. */
  readonly asPut: JsonObject;
  /** In our own form, when it was put in that; null: by a client of EventBridge. */
  readonly asWritten: JsonObject | null;
};

/** What the target is told: the whole event, a fixed text, a part of it, or a template filled from it. */
export type TargetInput =
  | { readonly kind: "event" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "transformer"; readonly paths: Readonly<Record<string, string>>; readonly template: string };

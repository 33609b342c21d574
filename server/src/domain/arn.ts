/** The one account that a self-hosted house has. */
export const ACCOUNT_ID = "000000000000";

/** A resource of AWS' naming scheme, as far as we have such things. */
export type Arn =
  | { readonly kind: "queue"; readonly name: string }
  | { readonly kind: "bus"; readonly name: string }
  | { readonly kind: "rule"; readonly bus: string; readonly name: string }
  | { readonly kind: "archive"; readonly name: string }
  | { readonly kind: "replay"; readonly name: string }
  /** Ours, as a rule's target: the input is the body of `POST /send`. */
  | { readonly kind: "send" }
  /** Ours, as a rule's target: an endpoint for outbound webhooks. */
  | { readonly kind: "webhook"; readonly id: string }
  /** Ours, as a rule's target: a user's function. */
  | { readonly kind: "function"; readonly name: string };

/** The ARN of a send target; it has no parts of its own. */
export const SEND_ARN = "arn:tidings:send:::message";

/** Writes an ARN. Region: of the caller's signature, or the configured one. */
export function arnText(arn: Arn, region: string): string {
  switch (arn.kind) {
    case "queue":
      return `arn:aws:sqs:${region}:${ACCOUNT_ID}:${arn.name}`;
    case "bus":
      return `arn:aws:events:${region}:${ACCOUNT_ID}:event-bus/${arn.name}`;
    case "rule":
      return `arn:aws:events:${region}:${ACCOUNT_ID}:rule/${arn.bus === DEFAULT_BUS ? "" : `${arn.bus}/`}${arn.name}`;
    case "archive":
    case "replay":
      return `arn:aws:events:${region}:${ACCOUNT_ID}:${arn.kind}/${arn.name}`;
    case "send":
      return SEND_ARN;
    case "webhook":
      return `arn:tidings:webhook:::${arn.id}`;
    case "function":
      return `arn:tidings:function:::${arn.name}`;
  }
}

/** Reads an ARN whatever its region and account, which a house has only one of; null when it is none that we know. */
export function parseArn(text: string): Arn | null {
  if (text === SEND_ARN) return { kind: "send" };
  const parts = text.split(":");
  const [start, partition, service, , , ...rest] = parts;
  const resource = rest.join(":");
  if (start !== "arn" || resource === "") return null;
  if (partition === "tidings" && service === "webhook") return { kind: "webhook", id: resource };
  if (partition === "tidings") return service === "function" ? { kind: "function", name: resource } : null;
  if (service === "sqs") return { kind: "queue", name: resource };
  if (service !== "events") return null;
  const slash = resource.indexOf("/");
  const [kind, name] = [resource.slice(0, slash), resource.slice(slash + 1)];
  if (slash === -1 || name === "") return null;
  if (kind === "event-bus") return { kind: "bus", name };
  if (kind === "archive" || kind === "replay") return { kind, name };
  if (kind !== "rule") return null;
  // A bus may have slashes in its name, a rule may not.
  const last = name.lastIndexOf("/");
  return { kind: "rule", bus: last === -1 ? DEFAULT_BUS : name.slice(0, last), name: name.slice(last + 1) };
}

/** The bus that always exists, and that an event is on if nothing else was said. */
export const DEFAULT_BUS = "default";
/** The bus of our own events, `message.sent` and the like: a rule sees them only if it was put there. */
export const OWN_BUS = "tidings";

import type { JsonObject } from "#domain/json.ts";

/** Courier's classification of ways to reach a person. "chat" in prose is `direct_message` on the wire. */
export const CHANNELS = ["email", "sms", "push", "direct_message", "inbox", "webhook"] as const;
export type Channel = (typeof CHANNELS)[number];

export function isChannel(name: string): name is Channel {
  return (CHANNELS as readonly string[]).includes(name);
}

/** A file that travels with a mail. Its bytes are in the blob store; `bytes` is their number. */
export type Attachment = {
  readonly filename: string;
  readonly contentType: string;
  readonly blob: string;
  readonly bytes: number;
};

/** RFC 8058 and RFC 2369: where one POST takes this recipient off the list that this mail was sent to. */
export type ListUnsubscribe = { readonly url: string };

/** What is said, ready for a channel: rendered once, the same at every try. */
export type Content =
  | EmailContent
  | { readonly channel: "sms"; readonly to: string; readonly text: string }
  | {
      readonly channel: "push";
      readonly to: JsonObject;
      readonly title: string;
      readonly body: string;
      readonly data: JsonObject;
    }
  | { readonly channel: "direct_message"; readonly to: JsonObject; readonly title: string; readonly text: string }
  | {
      readonly channel: "inbox";
      readonly userId: string;
      readonly title: string;
      readonly body: string;
      readonly data: JsonObject;
    }
  | WebhookContent;

export type EmailContent = {
  readonly channel: "email";
  /** RFC 5322 mailbox, `Name <local@domain>` or bare; null means the provider's configured sender. */
  readonly from: string | null;
  readonly to: string;
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo: string | null;
  readonly subject: string;
  readonly html: string;
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly unsubscribe: ListUnsubscribe | null;
};

export type WebhookContent = {
  readonly channel: "webhook";
  readonly url: string;
  readonly method: "POST" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  readonly authentication:
    | { readonly mode: "none" }
    | { readonly mode: "basic"; readonly username: string; readonly password: string }
    | { readonly mode: "bearer"; readonly token: string };
  /** JSON text. */
  readonly body: string;
};

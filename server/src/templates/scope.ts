import type { JsonObject } from "#domain/json.ts";

/** Everything a template may mention. Plain JSON; nothing here is ever evaluated or parsed as a template. */
export type Scope = {
  /** The message's `data`, the recipient's own merged over it. */
  readonly data: JsonObject;
  readonly profile: JsonObject;
  readonly tenant: JsonObject;
  /** A brand's settings (Courier's `settings`): `colors.primary` and `email.header.logo` shape the mail. */
  readonly brand: JsonObject;
  /** BCP 47, or the underscore spelling; chooses `locales` and the mail's language. */
  readonly locale: string | null;
  readonly builtins: {
    readonly messageId: string;
    readonly recipient: string;
    readonly event: string;
    readonly template: string;
    readonly environment: string;
    readonly unsubscribeUrl: string | null;
    readonly preferencesUrl: string | null;
    readonly year: number;
  };
};

import type { Json, JsonObject } from "#domain/json.ts";

/**
 * The `message` of `POST /send` after its schema was checked: Courier's wire names, kept as they are, because the
 * accepted text is what is stored. What we do not know is kept too (`JsonObject`) and never harms.
 */
export type SendMessage = JsonObject & {
  readonly to?: Json;
  readonly content?: Json;
  readonly template?: string;
  readonly data?: JsonObject;
  readonly brand_id?: string;
  readonly channels?: Readonly<Record<string, ChannelOptions>>;
  readonly providers?: Readonly<Record<string, ProviderOptions>>;
  readonly routing?: Routing;
  readonly metadata?: SendMetadata;
  readonly preferences?: JsonObject;
  readonly context?: JsonObject;
  readonly delay?: Delay;
  readonly expiry?: JsonObject;
  readonly timeout?: Timeouts;
  readonly deadline?: DeadlineWish;
};

export type ChannelOptions = JsonObject & {
  readonly providers?: readonly string[];
  readonly routing_method?: "single" | "all";
  readonly if?: string;
  readonly timeouts?: JsonObject & { readonly provider?: number; readonly channel?: number };
  readonly timeout?: number;
  readonly override?: JsonObject;
};

export type ProviderOptions = JsonObject & {
  readonly override?: JsonObject;
  readonly if?: string;
  readonly timeouts?: number;
};

export type Routing = JsonObject & {
  readonly method: "single" | "all";
  readonly channels: readonly (string | Routing)[];
};

export type SendMetadata = JsonObject & {
  readonly event?: string;
  readonly tags?: readonly string[];
  readonly trace_id?: string;
};

export type Delay = JsonObject & {
  readonly duration?: number;
  readonly until?: string;
  readonly timezone?: string;
};

export type Timeouts = JsonObject & {
  readonly provider?: Readonly<Record<string, number>> | number;
  readonly channel?: Readonly<Record<string, number>> | number;
  readonly message?: number;
  /** Ours: what to do when a provider took a message and did not say whether it kept it. */
  readonly unknown?: "retry" | "hold";
};

/** Ours: until when it is of use, and what happens when that was not possible. */
export type DeadlineWish = JsonObject & {
  readonly at?: string | number;
  readonly in?: string | number;
  /** One of `LATE_POLICIES`; accept checks it. */
  readonly late?: string;
  readonly collapse_key?: string;
};

/** One entry of `to`, told apart once, at accept. */
export type Target =
  /** `listId`: it goes to them as somebody on this list. */
  | {
      readonly kind: "person";
      readonly userId: string | null;
      readonly listId: string | null;
      readonly to: JsonObject;
    }
  | { readonly kind: "list"; readonly listId: string; readonly data: JsonObject }
  | { readonly kind: "pattern"; readonly pattern: string; readonly data: JsonObject };

import type { JsonObject } from "#domain/json.ts";
import type { Scope } from "./scope.ts";

/** A small scope for tests. */
export function scopeOf(data: JsonObject = {}, more: Partial<Scope> = {}): Scope {
  return {
    data,
    profile: {},
    tenant: {},
    brand: {},
    locale: null,
    builtins: {
      messageId: "1-65f240a0-47a6a120c8374de9bcf9f22a",
      recipient: "ada",
      event: "welcome",
      template: "",
      environment: "production",
      unsubscribeUrl: null,
      preferencesUrl: null,
      year: 2026,
    },
    ...more,
  };
}

import { Type } from "@tidings/contract";
import type { JsonObject } from "#domain/json.ts";

/** Lists, subscribers and suppressions in one page when nobody asks for another number. */
export const PAGE_LIMIT = 100;

export function PageLimit(maximum: number) {
  return Type.Optional(Type.Integer({ minimum: 1, maximum, default: PAGE_LIMIT }));
}

/** ISO 8601, as lists and subscriptions show their times (courier-api.md §1.8). */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** A checked object of a body, as JSON; absent stays absent. */
export function objectOrNull(value: object | null | undefined): JsonObject | null | undefined {
  // It came out of the JSON parser, and the schema says that it is an object.
  return value as JsonObject | null | undefined;
}

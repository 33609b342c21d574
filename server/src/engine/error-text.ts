import { ERROR_CHARS_MAX } from "#engine/limits.ts";

/** What is kept of an error with a job: enough to find the line, bounded. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  return text.slice(0, ERROR_CHARS_MAX);
}

/** Sentences for the person on call. Fields never hold secrets or the words of a message. */
export interface Log {
  info(sentence: string, fields?: LogFields): void;
  warn(sentence: string, fields?: LogFields): void;
  error(sentence: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** For tests and tools that do not want to hear. */
export const silentLog: Log = { info() {}, warn() {}, error() {} };

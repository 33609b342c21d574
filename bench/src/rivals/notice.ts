import type { MailData } from "../mail.ts";

/** What a caller wants said to whom: the job in every rival's queue. */
export type Notice = {
  readonly id: string;
  readonly to: string;
  readonly data: MailData;
  readonly acceptedMs: number;
};

/** What is known of a recipient. All of it is null or false for a stranger, who is written to. */
export type Person = { readonly locale: string | null; readonly optedOut: boolean; readonly suppressed: boolean };

export type Status = "sent" | "suppressed" | "opted out";

/** What became of a notice: a row of the message log, and three of its history. */
export type Entry = {
  readonly notice: Notice;
  readonly status: Status;
  /** As the mail server got it; empty if it did not. */
  readonly providerId: string;
  readonly history: readonly [HistoryRow, HistoryRow, HistoryRow];
};
export type HistoryRow = { readonly type: string; readonly atMs: number };

/** Rows that the log holds. */
export type Logged = { readonly messages: number; readonly history: number };

/** Mails one notice, and says what became of it. @throws when it is to be tried again. */
export type Deliver = (notice: Notice, person: Person) => Promise<Entry>;

/** What a rival has of its own: a queue and tables. */
export type Backend = {
  /** Resolves when the database says that it has it, which is before the 202. */
  enqueue(notice: Notice): Promise<unknown>;
  /** Begins to work. */
  work(deliver: Deliver): Promise<unknown>;
  /** Jobs that are waiting, in hand, or to be tried again. */
  unfinished(): Promise<number>;
  logged(): Promise<Logged>;
  close(): Promise<unknown>;
};

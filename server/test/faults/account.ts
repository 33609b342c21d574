import pg from "pg";
import { type Accepted, audit, type Copy, type ListSend } from "../crash/audit.ts";

/** A fault, from when it began to when whatever was broken is whole again; monotonic ms. */
export type Trouble = { readonly fromMs: number; readonly untilMs: number };

export type Evidence = {
  readonly accepted: ReadonlyMap<string, Accepted>;
  readonly lists: readonly ListSend[];
  readonly members: readonly string[];
  /** As the program lists them in the end. */
  readonly messages: readonly { readonly id: string; readonly status: string; readonly recipient: string }[];
  readonly mails: readonly Copy[];
  /** When the outcome "sent" of each message was committed, monotonic ms; all of them, by the message's id. */
  readonly outcomes: ReadonlyMap<string, readonly number[]>;
  readonly troubles: readonly Trouble[];
};

/** Sentences, one for each thing that must not be; and the repeats that may be. */
export type Account = {
  readonly lost: readonly string[];
  readonly wrong: readonly string[];
  readonly unexplained: readonly string[];
  /** `beforeMs`: how long before the trouble the copy came whose outcome was not in the database, at least 0. */
  readonly explained: readonly { readonly messageId: string; readonly beforeMs: number }[];
};

/** What was on the wire when the trouble began is read by the recorder a little later. */
const WIRE_MS_MAX = 250;
/** Between the clocks of the database and of the recorder, and the roundings of both. */
const CLOCKS_MS = 5;
/** Nodes know the database's time to within half a round trip, which on a busy machine takes some time. */
const EARLY_MS_MAX = 50;

/**
 * Was everything kept that was promised? As `crash/audit.ts`, but for the repeats: with many nodes, a mail may come again
 * only if a trouble lies between the two copies, and if no outcome was in the database when the second was sent. And of
 * each message at most one "sent" may ever have been committed, whoever else thought to have sent it.
 */
export function account(evidence: Evidence): Account {
  const accepted = new Map(
    [...evidence.accepted].map(([id, sent]) => [id, { ...sent, dueMs: sent.dueMs - EARLY_MS_MAX }]),
  );
  const { lost, wrong } = audit({ ...evidence, accepted, listsUnanswered: 0, kills: [] });
  const twiceCommitted = [...evidence.outcomes].flatMap(([id, times]) =>
    times.length > 1 ? [`${id} was committed as sent ${times.length} times`] : [],
  );
  return { lost, wrong: [...wrong, ...twiceCommitted], ...repeats(evidence) };
}

function repeats({ mails, outcomes, troubles }: Evidence): Pick<Account, "unexplained" | "explained"> {
  const unexplained: string[] = [];
  const explained: Account["explained"][number][] = [];
  for (const [messageId, copies] of Map.groupBy(mails, (mail) => mail.messageId)) {
    const committedMs = outcomes.get(messageId.slice(1, messageId.indexOf("@")))?.[0];
    for (const [at, copy] of copies.entries()) {
      const before = copies[at - 1];
      if (before === undefined) continue;
      const trouble = troubles.find(
        ({ fromMs, untilMs }) => untilMs > before.atMs - WIRE_MS_MAX && fromMs < copy.atMs && fromMs <= untilMs,
      );
      if (trouble === undefined)
        unexplained.push(`${messageId} came again to ${copy.to}, and nothing was wrong in between`);
      else if (committedMs !== undefined && committedMs < copy.atMs - CLOCKS_MS) {
        const lateMs = Math.round(copy.atMs - committedMs);
        unexplained.push(`${messageId} came again to ${copy.to} ${lateMs} ms after its outcome was committed`);
      } else explained.push({ messageId, beforeMs: Math.max(0, trouble.fromMs - before.atMs) });
    }
  }
  return { unexplained, explained };
}

/** When each "sent" was committed, as Postgres remembers (`track_commit_timestamp`). */
export async function outcomesIn(url: string, schema = "tidings"): Promise<Map<string, number[]>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<[string, number]>({
      text: `SELECT subject, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::float8
        FROM ${schema}.events WHERE type = 'message.sent' ORDER BY position`,
      rowMode: "array",
    });
    const outcomes = new Map<string, number[]>();
    for (const [id, wallMs] of rows) {
      const times = outcomes.get(id) ?? [];
      times.push(wallMs - performance.timeOrigin);
      outcomes.set(id, times);
    }
    return outcomes;
  } finally {
    await client.end();
  }
}

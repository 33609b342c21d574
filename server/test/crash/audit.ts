/**
 * Was everything kept that was promised? A pure function over what the clients were told, what the mail server got, what
 * the program says of its messages, and when it was killed. `audit.test.ts` plants every fault that it must find.
 */
export function audit(evidence: Evidence): Findings {
  const mailsTo = Map.groupBy(evidence.mails, ({ to }) => to);
  const statuses = new Map(evidence.messages.map(({ id, status }) => [id, status]));
  const { duplicates, faults: unexplained } = repeats(evidence);
  const lost = [
    ...[...evidence.accepted].flatMap(([id, sent]) => lostSend(id, sent, statuses.get(id), mailsTo.get(sent.to) ?? [])),
    ...evidence.lists.flatMap(lostOfList),
    ...lostOfMembers(evidence, mailsTo),
  ];
  const wrong = [
    ...[...evidence.accepted].flatMap(([id, sent]) =>
      wrongSend(id, sent, statuses.get(id), mailsTo.get(sent.to) ?? []),
    ),
    ...wrongMessages(evidence, mailsTo),
  ];
  return { lost, wrong, unexplained, duplicates };
}

export type Evidence = {
  /** Sends to one address of their own that were answered with 202, by the request's id. */
  readonly accepted: ReadonlyMap<string, Accepted>;
  /** Sends to a list whose members do not change. */
  readonly lists: readonly ListSend[];
  /** Sends to the list whose answer was lost: they may have been accepted. */
  readonly listsUnanswered: number;
  readonly members: readonly string[];
  /** As the program lists them in the end. */
  readonly messages: readonly { readonly id: string; readonly status: string; readonly recipient: string }[];
  /** In the order in which they came. */
  readonly mails: readonly Copy[];
  readonly kills: readonly Kill[];
};

/** Times are monotonic, in ms. */
export type Accepted = {
  readonly to: string;
  /** Not to be sent before. */
  readonly dueMs: number;
  /** Whether a cancellation was answered with 200; "perhaps": its answer was lost. */
  readonly canceled: boolean | "perhaps";
};

export type ListSend = {
  readonly id: string;
  readonly complete: boolean;
  readonly sent: number;
  readonly size: number;
};
export type Copy = { readonly to: string; readonly messageId: string; readonly atMs: number };

/** `kept`: Message-IDs of mails whose outcome was in the file when the process was dead. */
export type Kill = { readonly atMs: number; readonly kept: ReadonlySet<string> };

/** Sentences, one for each fault; and the repeats that are as they may be. */
export type Findings = {
  readonly lost: readonly string[];
  readonly wrong: readonly string[];
  readonly unexplained: readonly string[];
  /** `kill`: the first one between the two copies. `gapMs`: how long before it the earlier copy came, at least 0. */
  readonly duplicates: readonly { readonly kill: number; readonly gapMs: number }[];
};

/** A mail that was on the wire at the kill is read by the recorder shortly after it. */
const WIRE_MS_MAX = 100;
/** Clocks are rounded to whole ms on both sides. */
const ROUNDED_MS = 2;

function lostSend(
  id: string,
  { to, canceled }: Accepted,
  status: string | undefined,
  mails: readonly Copy[],
): string[] {
  if (status === undefined) return [`${id} to ${to} was accepted and is not known`];
  return canceled === true || status === "CANCELED" || mails.length > 0
    ? []
    : [`${id} to ${to} was accepted and never came; it is ${status}`];
}

function wrongSend(id: string, sent: Accepted, status: string | undefined, mails: readonly Copy[]): string[] {
  const found: string[] = [];
  const expected = sent.canceled === true || (sent.canceled === "perhaps" && mails.length === 0) ? "CANCELED" : "SENT";
  if (status !== undefined && status !== expected) found.push(`${id} ended as ${status}, not ${expected}`);
  if (sent.canceled === true && mails.length > 0) found.push(`${id} came although its cancellation was answered`);
  for (const { atMs } of mails.slice(0, 1))
    if (atMs < sent.dueMs - ROUNDED_MS) found.push(`${id} came ${(sent.dueMs - atMs).toFixed(0)} ms before its time`);
  const ids = new Set(mails.map(({ messageId }) => messageId));
  if (ids.size > 1) found.push(`${id} to ${sent.to} was sent as ${ids.size} messages`);
  return found;
}

function lostOfList({ id, complete, sent, size }: ListSend): string[] {
  return complete && sent === size ? [] : [`of list send ${id} only ${sent} of ${size} were sent`];
}

function lostOfMembers({ members, lists }: Evidence, mailsTo: ReadonlyMap<string, readonly Copy[]>): string[] {
  return members.flatMap((to) => {
    const got = new Set(mailsTo.get(to)?.map(({ messageId }) => messageId)).size;
    return got < lists.length ? [`${to} got ${got} of ${lists.length} list sends`] : [];
  });
}

const ENDS = new Set(["SENT", "CANCELED"]);

function wrongMessages(evidence: Evidence, mailsTo: ReadonlyMap<string, readonly Copy[]>): string[] {
  const { messages, accepted, members, lists, listsUnanswered } = evidence;
  // Of those that were accepted it is known how they must end.
  const others = messages.filter(({ id }) => !accepted.has(id));
  const found = others.filter(({ status }) => !ENDS.has(status)).map(({ id, status }) => `${id} ended as ${status}`);
  if (new Set(messages.map(({ id }) => id)).size !== messages.length) found.push("a message is listed twice");
  const known = new Set([...messages.map(({ recipient }) => recipient), ...members]);
  for (const sent of accepted.values()) known.add(sent.to);
  for (const to of mailsTo.keys()) if (!known.has(to)) found.push(`${to} got a mail that no message tells of`);
  for (const to of members) {
    const got = new Set(mailsTo.get(to)?.map(({ messageId }) => messageId)).size;
    const most = lists.length + listsUnanswered;
    if (got > most) found.push(`${to} got ${got} mails of ${most} list sends`);
  }
  return found;
}

/** A mail may come again only if a kill lies between and its outcome was not in the file at that kill. */
function repeats({ mails, kills }: Evidence): { duplicates: Findings["duplicates"]; faults: string[] } {
  const duplicates: { kill: number; gapMs: number }[] = [];
  const faults: string[] = [];
  for (const copies of Map.groupBy(mails, ({ messageId }) => messageId).values())
    for (const [at, copy] of copies.entries()) {
      const last = copies[at - 1];
      if (last === undefined) continue;
      const between = kills.flatMap((kill, index) =>
        kill.atMs > last.atMs - WIRE_MS_MAX && kill.atMs < copy.atMs ? [{ ...kill, index }] : [],
      );
      const [first] = between;
      if (first === undefined) faults.push(`${copy.messageId} came twice to ${copy.to} and nobody died in between`);
      else if (between.some(({ kept }) => kept.has(copy.messageId)))
        faults.push(`${copy.messageId} came again to ${copy.to} although its outcome was kept`);
      else duplicates.push({ kill: first.index, gapMs: Math.max(0, first.atMs - last.atMs) });
    }
  return { duplicates, faults };
}

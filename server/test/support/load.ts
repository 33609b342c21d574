import type { MailHost } from "./mail-host.ts";
import type { Program } from "./program.ts";

/** What was promised so far: recipients by the ids of the requests that were answered with 202. */
export type Promised = Map<string, string>;

/**
 * Sends one message after the other, `inFlight` at once, until the program is gone or `wanted` messages were accepted.
 * Each goes to an address of its own, `<name>-<number>@example.com`. What is not answered with 202 was not promised.
 */
export async function sendAlways(
  program: Program,
  promised: Promised,
  wishes: { readonly name: string; readonly inFlight: number; readonly wanted?: number },
): Promise<void> {
  let next = 0;
  const wanted = wishes.wanted ?? Number.POSITIVE_INFINITY;
  const one = async (): Promise<void> => {
    while (next < wanted) {
      next += 1;
      const email = `${wishes.name}-${next}@example.com`;
      try {
        const id = await program.send({ to: { email }, content: { title: email, body: "Hello" } });
        promised.set(id, email);
      } catch (error) {
        if (error instanceof TypeError) return; // fetch: the connection broke, the program is gone
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: wishes.inFlight }, one));
}

/** The mails that came more than once (the same Message-ID), those after the first. */
export function repeatedMails({ mails }: Pick<MailHost, "mails">) {
  const seen = new Set<string>();
  return mails.filter(({ messageId }) => seen.size === seen.add(messageId).size);
}

type MessagePage = {
  readonly paging: { readonly cursor?: string | null; readonly more: boolean };
  readonly results: readonly { readonly id: string; readonly status: string; readonly recipient: string }[];
};

/** Every message that the program knows. */
export async function allMessages(program: Program, query = ""): Promise<MessagePage["results"][number][]> {
  const found: MessagePage["results"][number][] = [];
  let cursor: string | null = null;
  do {
    const at: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await program.get<MessagePage>(`/messages?limit=100${query}${at}`);
    found.push(...page.results);
    cursor = page.paging.more ? (page.paging.cursor ?? null) : null;
  } while (cursor !== null);
  return found;
}

/** True when no job is ready or in somebody's hands, nor waits for its time unless such `mayWait`. */
export async function isIdle(program: Program, { mayWait = false } = {}): Promise<boolean> {
  type Depth = { readonly waiting: number; readonly ready: number; readonly held: number };
  const { queues } = await program.get<{ queues: readonly Depth[] }>("/admin/queues");
  return queues.every(({ waiting, ready, held }) => (mayWait ? 0 : waiting) + ready + held === 0);
}

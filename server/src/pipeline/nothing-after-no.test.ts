import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Directory, openDirectory } from "#directory/directory.ts";
import type { MessageId } from "#domain/ids.ts";
import type { JsonObject } from "#domain/json.ts";
import { isSettled } from "#domain/message.ts";
import type { Outcome } from "#domain/outcome.ts";
import type { Envelope, Provider } from "#ports/provider.ts";
import { testSecrets, World } from "../../test/support/world.ts";

/**
 * Random lives of a list on virtual time: people join, leave, are suppressed and allowed again while messages to them
 * wait, are tried again or stand at a slow provider, and the process dies now and then. Once a no was acknowledged, no
 * provider is asked any more to carry anything against it.
 */

/** Longer than any wait between two tries. */
const LONGEST_WAIT_MS = 4 * 3_600_000;
const LIST = "news";
const user = fc.constantFrom("ada", "bob", "cyd");
const addressOf = (userId: string): string => `${userId}@example.com`;

const saying = fc.record({
  do: fc.constantFrom("join", "leave", "unsubscribe", "suppress", "allow", "forget"),
  userId: user,
});
const sending = fc.record({
  do: fc.constant("send" as const),
  userId: fc.option(user),
  delayMs: fc.constantFrom(0, 0, 1_000, 60_000),
});
const step = fc.oneof(
  { weight: 5, arbitrary: saying },
  { weight: 4, arbitrary: sending },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 500, 5_000, 60_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** How a provider takes what comes: after how long, and with which answer. */
const answer = fc.record({
  afterMs: fc.constantFrom(0, 40, 3_000),
  outcome: fc.constantFrom<Outcome>(
    { kind: "sent", reference: {} },
    { kind: "sent", reference: {} },
    { kind: "retry", reason: "busy", afterMs: 700 },
    { kind: "unknown", reason: "silent" },
  ),
});

type Saying = "join" | "leave" | "unsubscribe" | "suppress" | "allow" | "forget";

/** What people have said, as far as it was acknowledged; a yes counts from when it is asked for. */
class Noes {
  readonly #suppressed = new Set<string>();
  readonly #members = new Set<string>();
  readonly #canceled = new Set<string>();
  readonly #directory: () => Directory;
  /** What one person says is said in order. */
  readonly #saying = new Map<string, Promise<void>>();
  #lives = 0;

  constructor(directory: () => Directory) {
    this.#directory = directory;
  }

  say(what: Saying, userId: string): Promise<void> {
    const said = (this.#saying.get(userId) ?? Promise.resolve()).then(() => this.#say(what, userId));
    this.#saying.set(userId, said);
    return said;
  }

  async #say(what: Saying, userId: string): Promise<void> {
    const { subscriptions, suppressions, unsubscribe, profiles } = this.#directory();
    const place = { channel: "email", address: addressOf(userId) };
    switch (what) {
      case "join":
        this.#members.add(userId);
        await subscriptions.subscribe(LIST, { userId });
        return;
      case "leave":
        return this.#heard(subscriptions.unsubscribe(LIST, userId), () => this.#members.delete(userId));
      case "unsubscribe": {
        const farewell = { kind: "list", listId: LIST, userId, messageId: null } as const;
        return this.#heard(unsubscribe.leave(farewell), () => this.#members.delete(userId));
      }
      case "suppress": {
        const why = { reason: "manual", detail: "", messageId: null } as const;
        return this.#heard(suppressions.add([{ ...place, ...why }]), () => this.#suppressed.add(place.address));
      }
      case "allow":
        this.#suppressed.delete(place.address);
        await suppressions.remove([place]);
        return;
      case "forget":
        await this.#heard(profiles.remove(userId), () => this.#members.delete(userId));
        // The next one of that name is known at once.
        await profiles.merge(userId, { email: place.address });
    }
  }

  cancel(id: string, canceled: Promise<{ readonly kind: string }>): Promise<void> {
    return this.#heard(canceled, ({ kind }) => kind === "canceled" && this.#canceled.add(id));
  }

  /** What a process says after its death, nobody hears. */
  async #heard<T extends { readonly kind: string }>(work: Promise<T>, note: (said: T) => unknown): Promise<void> {
    const life = this.#lives;
    const said = await work;
    if (life === this.#lives && said.kind !== "refused") note(said);
  }

  died(): void {
    this.#lives += 1;
    this.#saying.clear();
  }

  /** Why this must not be sent now; null when nobody has said no. */
  against({ messageId, content }: Envelope): string | null {
    if (content.channel !== "email") return "it is no mail";
    const userId = content.to.slice(0, content.to.indexOf("@"));
    if (this.#canceled.has(messageId)) return `${messageId} was cancelled`;
    if (this.#suppressed.has(content.to)) return `${content.to} is suppressed`;
    return content.subject === "to the list" && !this.#members.has(userId) ? `${userId} has left the list` : null;
  }
}

test("nothing is sent after a no was acknowledged, whatever else happens, and every message comes to its end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.infiniteStream(answer),
      fc.infiniteStream(fc.nat(12)),
      async (steps, answers, turns) => {
        const broken: string[] = [];
        let trouble = true;
        const provider = narrowProvider(async (envelope) => {
          const problem = noes.against(envelope);
          if (problem !== null) broken.push(problem);
          const next = trouble ? answers.next().value : undefined;
          const { afterMs, outcome } = next ?? { afterMs: 0, outcome: { kind: "sent", reference: {} } };
          if (afterMs > 0) await new Promise<void>((resolve) => void world.clock.after(afterMs, resolve));
          return outcome;
        });
        const world = await World.start({ providers: [provider] });
        const noes = new Noes(() => openDirectory(world.engine, testSecrets));
        for (const userId of ["ada", "bob", "cyd"]) {
          const { profiles } = openDirectory(world.engine, testSecrets);
          await world.settle(profiles.merge(userId, { email: addressOf(userId) }));
          await world.settle(noes.say("join", userId));
        }
        const sent: MessageId[] = [];
        for (const each of steps) await live(world, noes, sent, each, turns.next().value ?? 0);
        if (world.dead) await world.restart();
        // Bad luck could last for the three days of a message's patience.
        trouble = false;
        await world.pass(LONGEST_WAIT_MS, 60_000);
        assert.deepEqual(broken, []);
        const { messages } = await world.store.listMessages({ archived: true }, { after: null, limit: 1_000 });
        const waiting = messages.filter(({ status }) => !isSettled(status));
        assert.deepEqual(waiting, []);
      },
    ),
    { numRuns: 60 },
  );
});

/** Carries one mail at a time, so that the others stand at its gate. */
function narrowProvider(carry: (envelope: Envelope) => Promise<Outcome>): Provider {
  return {
    key: "smtp",
    channels: ["email"],
    concurrencyMax: 1,
    send: async (envelopes, report) => {
      await Promise.all(envelopes.map(async (envelope, at) => report(at, await carry(envelope))));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** One step; what takes long goes on behind the next ones. */
async function live(world: World, noes: Noes, sent: MessageId[], each: Step, turns: number): Promise<void> {
  // What is under way when the process dies is never acknowledged.
  const begin = async (work: Promise<void>): Promise<void> => {
    work.catch(() => {});
    await world.quiet(turns);
  };
  switch (each.do) {
    case "send": {
      const { userId, delayMs } = each;
      const to: JsonObject = userId === null ? { list_id: LIST } : { user_id: userId };
      const title = userId === null ? "to the list" : "to you";
      const delay = delayMs === 0 ? {} : { delay: { duration: delayMs } };
      const accepted = await world.send({ to, content: { title, body: "b" }, ...delay });
      // One recipient: the message is named like the request.
      if (accepted.kind === "accepted" && userId !== null) sent.push(accepted.requestId as unknown as MessageId);
      return;
    }
    case "cancel": {
      const id = sent[each.which % Math.max(1, sent.length)];
      if (id === undefined) return;
      return begin(noes.cancel(id, world.pipeline.desk.cancel(id)));
    }
    case "pass":
      return world.pass(each.ms, Math.max(1, each.ms / 5));
    case "die":
      noes.died();
      return world.restart();
    default:
      return begin(noes.say(each.do, each.userId));
  }
}

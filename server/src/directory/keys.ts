import {
  type Changed,
  change,
  type Decision,
  happened,
  NO_ORIGIN,
  noChanges,
  type Origin,
  refused,
  unchanged,
  write,
} from "#engine/change.ts";
import { awsSecret, newAccessKeyId } from "#directory/aws-keys.ts";
import { type KeyBody, KEYS } from "#directory/collections.ts";
import type { Document } from "#domain/document.ts";
import type { Engine } from "#engine/engine.ts";
import type { Dice } from "#ports/dice.ts";
import type { Secrets } from "#ports/secrets.ts";

/** What a key may be allowed. `full` is everything, managing keys included. */
export const KEY_SCOPES = ["full", "send", "read"] as const;
/** Keys in use at one time: one for each service of a large house, many times over. */
export const KEYS_MAX = 1_000;
/** A name says which service uses the key. */
export const KEY_NAME_CHARS_MAX = 100;
/** SHA-256's width: nobody guesses it, and the digest needs no salt. */
const KEY_BYTES = 32;
const KEY_PREFIX = "tk_live_";
/** Shown in lists: the prefix that all have, and enough to tell two apart. */
const SHOWN_CHARS = 12;
/** As the HTTP door names the caller in logs and lanes. */
const KEY_ID_CHARS = 12;

/** Holds one mark, by which nodes that start together agree on who makes the first key. */
const FIRST_KEY = "first_key";

type KeyWish = Pick<KeyBody, "name" | "scopes" | "origin" | "aws">;
/** Under which id a key is kept, and how a list shows it. */
type KeyPlace = { readonly id: string; readonly prefix: string };

export type Key = Omit<KeyBody, "origin"> & { readonly id: string };
/** `accessKeyId`: of a pair for AWS' clients; null: the secret is a bearer key. */
export type NewKey = Key & { readonly secret: string; readonly accessKeyId: string | null };

/** API keys: kept as digests, shown once. */
export class Keys {
  readonly #engine: Engine;
  readonly #secrets: Secrets;
  readonly #dice: Dice;

  constructor(engine: Engine, secrets: Secrets) {
    this.#engine = engine;
    this.#secrets = secrets;
    this.#dice = engine.parts.dice;
  }

  /** Makes a key, or a pair for AWS' clients. `secret` is told here and never again. */
  async create(
    wish: { readonly name: string; readonly scopes: readonly string[]; readonly aws?: boolean },
    origin: Origin = NO_ORIGIN,
  ): Promise<Changed<NewKey>> {
    const fault = wishProblem(wish);
    if (fault !== null) return refused("request.invalid", fault);
    const living = (await this.list()).filter(({ revokedMs }) => revokedMs === null);
    if (living.length >= KEYS_MAX) return refused("request.invalid", `There are ${KEYS_MAX} keys; revoke some first.`);
    const { name, scopes } = wish;
    const accessKeyId = wish.aws === true ? newAccessKeyId(this.#dice) : null;
    const secret = accessKeyId === null ? this.#newSecret() : awsSecret(this.#secrets, accessKeyId);
    const added =
      accessKeyId === null
        ? await this.#put(this.#placeOf(secret), { name, scopes, origin: "created" }, origin)
        : await this.#put(pairPlace(accessKeyId), { name, scopes, origin: "created", aws: true }, origin);
    return added.kind === "done" ? { kind: "done", value: { ...added.value, secret, accessKeyId } } : added;
  }

  /** Oldest first, revoked ones too; without their secrets, which nobody has. */
  async list(): Promise<readonly Key[]> {
    return (await this.#documents()).map(toKey).toSorted((one, other) => one.createdMs - other.createdMs);
  }

  /** Refuses a key from now on (on other nodes within seconds). Harmless on one that is revoked already. */
  revoke(id: string, origin: Origin = NO_ORIGIN): Promise<Changed<null>> {
    const { store, clock } = this.#engine.parts;
    return change(
      this.#engine,
      async (): Promise<Decision<null>> => {
        const isId = id.length >= KEY_ID_CHARS && /^[\w-]+$/.test(id);
        const [document] = isId ? await store.listDocuments({ collection: KEYS, prefix: id, limit: 1 }) : [];
        if (document === undefined) return refused("thing.unknown", "There is no such key.");
        const changes = noChanges();
        revoke(changes, document, clock.nowMs(), origin);
        return write(changes, null);
      },
      origin,
    );
  }

  /**
   * For the start of the program. With a `given` key (`TIDINGS_API_KEY`) sees to it that this one works and that an
   * earlier value of the setting no longer does. Without, makes one if none works.
   *
   * @returns the key that was made, to be shown once; null when none had to be made.
   */
  async ensureFirstKey(given: string | null): Promise<Changed<string | null>> {
    if (given === null) return await this.#makeFirstKey();
    const digest = this.#secrets.digest(given);
    const { clock } = this.#engine.parts;
    const ended = await change(this.#engine, async (): Promise<Decision<null>> => {
      const changes = noChanges();
      for (const document of await this.#documents()) {
        const { origin } = bodyOf(document);
        if (origin === "setting" && document.id !== digest) revoke(changes, document, clock.nowMs(), NO_ORIGIN);
      }
      return write(changes, null);
    });
    if (ended.kind !== "done") return ended;
    const put = await this.#put(
      this.#placeOf(given),
      { name: "TIDINGS_API_KEY", scopes: ["full"], origin: "setting" },
      NO_ORIGIN,
    );
    return put.kind === "done" ? { kind: "done", value: null } : put;
  }

  /** Of several nodes that start together, one makes the key; the others find it made. */
  async #makeFirstKey(): Promise<Changed<string | null>> {
    const { store, clock } = this.#engine.parts;
    const secret = this.#newSecret();
    const mark = { collection: FIRST_KEY, id: "made" };
    return await change(this.#engine, async (): Promise<Decision<string | null>> => {
      // Read first: who commits between this and the next look makes us look again.
      const [before = null] = await store.documents([mark]);
      const changes = noChanges();
      if ((await this.#documents()).some((document) => bodyOf(document).revokedMs === null))
        return write(changes, null);
      const nowMs = clock.nowMs();
      changes.expect.push(unchanged(mark, before));
      changes.puts.push({ ...mark, body: "{}", when: "always", nowMs });
      this.#add(changes, this.#placeOf(secret), { name: "first key", scopes: ["full"], origin: "created" }, NO_ORIGIN);
      return write(changes, secret);
    });
  }

  #put(place: KeyPlace, wish: KeyWish, origin: Origin): Promise<Changed<Key>> {
    const { store } = this.#engine.parts;
    const key = { collection: KEYS, id: place.id };
    return change(
      this.#engine,
      async (): Promise<Decision<Key>> => {
        const [before = null] = await store.documents([key]);
        const changes = noChanges();
        if (before !== null && bodyOf(before).revokedMs === null) return write(changes, toKey(before));
        changes.expect.push(unchanged(key, before));
        return write(changes, this.#add(changes, place, wish, origin));
      },
      origin,
    );
  }

  #add(changes: ReturnType<typeof noChanges>, { id, prefix }: KeyPlace, wish: KeyWish, origin: Origin): Key {
    const nowMs = this.#engine.parts.clock.nowMs();
    const body: KeyBody = { ...wish, createdMs: nowMs, prefix, revokedMs: null };
    const document = { collection: KEYS, id, body: JSON.stringify(body) };
    changes.puts.push({ ...document, when: "always", nowMs });
    const { name, scopes } = wish;
    changes.events.push(happened("key.created", `key:${keyId(id)}`, { name, scopes }, { nowMs, origin }));
    return toKey(document);
  }

  #placeOf(secret: string): KeyPlace {
    // A short key that somebody chose must not be shown by its beginning.
    const prefix = secret.slice(0, Math.min(SHOWN_CHARS, Math.floor(secret.length / 3)));
    return { id: this.#secrets.digest(secret), prefix };
  }

  async #documents(): Promise<readonly Document[]> {
    const documents: Document[] = [];
    for (let after: string | null = null; ; after = documents.at(-1)?.id ?? null) {
      const page = await this.#engine.parts.store.listDocuments({ collection: KEYS, after, limit: KEYS_MAX });
      documents.push(...page);
      if (page.length < KEYS_MAX) return documents;
    }
  }

  #newSecret(): string {
    const bytes = Uint8Array.fromHex(this.#dice.hex(KEY_BYTES));
    return KEY_PREFIX + bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  }
}

function revoke(changes: ReturnType<typeof noChanges>, document: Document, nowMs: number, origin: Origin): void {
  const body = bodyOf(document);
  if (body.revokedMs !== null) return;
  const key = { collection: KEYS, id: document.id };
  changes.expect.push(unchanged(key, document));
  changes.puts.push({
    ...key,
    body: JSON.stringify({ ...body, revokedMs: nowMs } satisfies KeyBody),
    when: "always",
    nowMs,
  });
  changes.events.push(happened("key.revoked", `key:${keyId(document.id)}`, { name: body.name }, { nowMs, origin }));
}

function wishProblem({ name, scopes }: { readonly name: string; readonly scopes: readonly string[] }): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (name === "" || name.length > KEY_NAME_CHARS_MAX || /[\u0000-\u001f\u007f]/.test(name)) {
    return `A key's name has 1 to ${KEY_NAME_CHARS_MAX} characters on one line.`;
  }
  const known: readonly string[] = KEY_SCOPES;
  if (scopes.length === 0 || scopes.some((scope) => !known.includes(scope))) {
    return `A key's scopes are some of ${KEY_SCOPES.join(", ")}.`;
  }
  return null;
}

function keyId(digest: string): string {
  return digest.slice(0, KEY_ID_CHARS);
}

function toKey(document: Pick<Document, "id" | "body">): Key {
  const { origin: _, ...shown } = bodyOf(document);
  return { id: keyId(document.id), ...shown };
}

/** An access key id is no secret, so a list shows all of it. */
function pairPlace(accessKeyId: string): KeyPlace {
  return { id: accessKeyId, prefix: accessKeyId };
}

function bodyOf({ body }: Pick<Document, "body">): KeyBody {
  // Only this class writes the collection.
  return JSON.parse(body) as KeyBody;
}

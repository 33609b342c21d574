import { createHash, createHmac } from "node:crypto";
import { type Directory, openDirectory } from "#directory/directory.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";
import { seededDice } from "#drivers/memory/seeded-dice.ts";
import { openMemoryStore } from "#drivers/memory/store.ts";
import { Engine } from "#engine/engine.ts";
import { silentLog } from "#ports/log.ts";
import { silentMeter } from "#ports/meter.ts";
import type { Secrets } from "#ports/secrets.ts";
import type { Store } from "#ports/store.ts";

/** A directory on the real engine, with the memory store and time that stands still unless a test moves it. */
export type GivenDirectory = {
  readonly directory: Directory;
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly secrets: Secrets;
  /** What has happened so far: type, subject and data of every event, oldest first. */
  readonly happened: () => Promise<
    readonly { readonly type: string; readonly subject: string; readonly data: unknown }[]
  >;
  readonly types: () => Promise<readonly string[]>;
};

export function givenDirectory(
  seed = 1,
  openStore: (clock: ManualClock) => Store = (clock) => openMemoryStore({ clock }),
): GivenDirectory {
  const clock = new ManualClock();
  const store = openStore(clock);
  const engine = new Engine({ store, clock, dice: seededDice(seed), log: silentLog, meter: silentMeter });
  const secrets = testSecrets();
  const happened = async () => {
    const { events } = await store.readJournal({ after: 0, limit: 1_000_000 });
    return events.map(({ type, subject, data }) => ({ type, subject, data: JSON.parse(data) as unknown }));
  };
  const types = async () => (await happened()).map(({ type }) => type);
  return { directory: openDirectory(engine, secrets), engine, store, clock, secrets, happened, types };
}

/** Real digests and seals under a fixed key. */
export function testSecrets(): Secrets {
  const mac = (text: string) => createHmac("sha256", "test").update(text).digest("base64url");
  return {
    digest: (text) => createHash("sha256").update(text).digest("base64url"),
    seal: (text) => `${Buffer.from(text).toString("base64url")}.${mac(text)}`,
    derive: (text) => createHash("sha256").update(`derived ${text}`).digest("base64"),
    unseal: (token) => {
      const [body = "", tag] = token.split(".");
      const text = Buffer.from(body, "base64url").toString();
      return tag === mac(text) ? text : null;
    },
  };
}

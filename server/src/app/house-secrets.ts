import type { Dice } from "#ports/dice.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

/** Collection of secrets that were made at first start and must be the same ever after and on every node. */
const SECRETS = "secrets";

/** Reads a secret of this installation, or makes it: `bytes` random bytes as base64url. */
export async function secretOf(
  parts: { readonly store: Store; readonly dice: Dice; readonly clock: Clock },
  name: string,
  bytes: number,
): Promise<string> {
  const { store, dice, clock } = parts;
  const key = { collection: SECRETS, id: name };
  const made = Buffer.from(dice.hex(bytes), "hex").toString("base64url");
  const [known] = await store.documents([key]);
  if (known) return known.body;
  // Of two nodes that start together, one is first, and both read what it wrote.
  await store.commit([{ puts: [{ ...key, body: made, when: "absent", nowMs: clock.nowMs() }] }]);
  const [kept] = await store.documents([key]);
  return kept?.body ?? made;
}

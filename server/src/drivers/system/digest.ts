import { webcrypto } from "node:crypto";

/** SHA-256 as hexadecimal digits, made off the main thread: a file of many megabytes stops nobody. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  // A copy of its own: what is shared with others cannot be handed over.
  const digest = await webcrypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return Buffer.from(digest).toString("hex");
}

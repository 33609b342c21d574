import type { Program } from "../support/program.ts";

export const REGION = "eu-north-1";

export type Pair = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** A key pair as an operator makes one. */
export async function makePair(program: Program, scopes: readonly string[] = ["full"]): Promise<Pair> {
  const response = await program.call("POST", "/admin/keys", { name: "aws client", scopes, aws: true });
  const made = (await response.json()) as { access_key_id: string; secret_access_key: string };
  return { accessKeyId: made.access_key_id, secretAccessKey: made.secret_access_key };
}

/** What every client of the JavaScript SDK is told; nothing else about it is changed. */
export function clientOptions(program: Program, credentials: Pair) {
  return { endpoint: `${program.url}/aws`, region: REGION, credentials, maxAttempts: 1 };
}

/** Runs a call that is to be refused, and gives what programs see of the refusal. */
export async function refused(call: Promise<unknown>): Promise<{ name: string; message: string; status: number }> {
  try {
    await call;
  } catch (thrown) {
    const { name, message, $metadata } = thrown as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, status: $metadata?.httpStatusCode ?? 0 };
  }
  throw new Error("it was not refused");
}

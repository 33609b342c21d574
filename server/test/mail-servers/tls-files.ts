import { readFileSync } from "node:fs";

function fixture(name: string): string {
  return readFileSync(new URL(`../../src/providers/smtp/test-fixtures/${name}`, import.meta.url), "utf8");
}

/** Of a server that is `localhost` and 127.0.0.1, signed by itself. */
export const CERTIFICATE = fixture("tls-cert.pem");

/** The files that a server needs for it, in a folder. */
export function tlsFiles(folder: string): Readonly<Record<string, string>> {
  return { [`${folder}/cert.pem`]: CERTIFICATE, [`${folder}/key.pem`]: fixture("tls-key.pem") };
}

import { X509Certificate } from "node:crypto";
import type { DkimKey } from "./dkim.ts";

/** Connections to one server: with the default window, 13,000 mails a second over a relay 5 ms away. */
export const POOL_DEFAULT = 10;
/**
 * The same where the server offers no CHUNKING: a connection then moves one mail for each turn of our event loop, which
 * takes 5 to 50 ms while calls come in, so that ten let a burst pile up. Measured in bursts of 3,000 sends from 64
 * callers on a machine three times overbooked: p99 from 202 to the mail at the server 330 to 3,200 ms with 10, 280 to 1,200
 * with 20, 70 to 180 with 40. Postfix lets one client have 50.
 */
export const POOL_WITHOUT_CHUNKING_DEFAULT = 40;
export const POOL_MAX = 200;
/** Mails over one connection. Many servers stop at 100 by policy; later ones meet a fresh greeting instead of a 421. */
export const MESSAGES_PER_CONNECTION_DEFAULT = 1_000;
/**
 * Mails under way on one connection where the server offers CHUNKING. Each may be *unknown* if the connection breaks
 * at that moment, so no more than helps: measured 20,000 mails a second with 1, 45,000 with 4, 50,000 with 8, no more
 * with 16.
 */
export const WINDOW_DEFAULT = 8;
export const WINDOW_MAX = 64;

/** How long to wait for the server, in ms. RFC 5321 §4.5.3.2 has the generous numbers; these are within them. */
export type SmtpTimeouts = {
  /** TCP, and again TLS. */
  readonly connectMs: number;
  /** The greeting; RFC: 5 minutes. */
  readonly greetingMs: number;
  /** Any command; RFC: 5 minutes for MAIL and RCPT, 2 for DATA. */
  readonly commandMs: number;
  /** The answer to the mail itself; RFC: 10 minutes. Giving up sooner makes duplicates. */
  readonly handoverMs: number;
  /** A connection without work is closed; servers close theirs after 10 to 300 seconds, and the race costs a retry. */
  readonly idleMs: number;
};

export const TIMEOUTS_DEFAULT: SmtpTimeouts = {
  connectMs: 30_000,
  greetingMs: 60_000,
  commandMs: 300_000,
  handoverMs: 600_000,
  idleMs: 8_000,
};

export type SmtpSettings = {
  /**
   * `smtp://user:password@host:port` or `smtps://…` (TLS from the first byte). Parameters: `tls=opportunistic|require|never`,
   * `verify=true|false` (certificate), `pool=10` (when absent, 40 for a server without CHUNKING), `messages=1000` (per connection), `window=8`, `pipelining=true|false`,
   * `chunking=true|false`.
   */
  readonly url: string;
  /** Sender of mails whose content names none: `Name <local@domain>`. */
  readonly from: string;
  /** Where bounces go (the reverse path); the sender when absent. */
  readonly returnPath?: string;
  /** Each signs every mail: two during a rotation, or RSA and Ed25519 side by side. */
  readonly dkim?: readonly DkimKey[];
  /** What we call ourselves at EHLO; should be this machine's public name. */
  readonly hostname?: string;
  /** Certificates to trust beside the built-in ones, PEM. */
  readonly ca?: string;
  readonly timeouts?: Partial<SmtpTimeouts>;
  /** Fields added to every mail. */
  readonly headers?: Readonly<Record<string, string>>;
  /** `nodemailer` is the reference to compare with: slower, and without pipelining. */
  readonly client?: "own" | "nodemailer";
};

/** Where and how to connect. */
export type Target = {
  readonly host: string;
  readonly port: number;
  readonly implicitTls: boolean;
  readonly tls: "opportunistic" | "require" | "never";
  readonly verify: boolean;
  readonly ca: string | null;
  readonly hostname: string;
  readonly auth: { readonly user: string; readonly password: string } | null;
  readonly pool: number;
  /** Where the server offers no CHUNKING. */
  readonly poolWithoutChunking: number;
  readonly messages: number;
  readonly window: number;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly timeouts: SmtpTimeouts;
};

const PARAMETERS = ["tls", "verify", "pool", "messages", "window", "pipelining", "chunking"];
const HOSTNAME = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253})|\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\])$/;

/**
 * Reads the settings that concern the connection.
 *
 * @param machineName stands in for `hostname` when it is one that EHLO can carry.
 * @throws {Error} naming what is wrong; never quoting the URL, because it holds the password.
 */
export function readTarget(settings: SmtpSettings, machineName: string): Target {
  const url = URL.canParse(settings.url) ? new URL(settings.url) : null;
  if (url === null || (url.protocol !== "smtp:" && url.protocol !== "smtps:") || url.hostname === "") {
    throw new Error("the SMTP URL is not of the form smtp://user:password@host:port or smtps://…");
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) throw new Error(`the SMTP URL has a parameter that is not known: ${name}`);
  }
  const hostname = settings.hostname ?? (HOSTNAME.test(machineName) ? machineName : "[127.0.0.1]");
  if (!HOSTNAME.test(hostname)) throw new Error("the SMTP hostname is neither a domain nor an address literal");
  if (settings.ca !== undefined) checkCertificate(settings.ca);
  const implicitTls = url.protocol === "smtps:";
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (implicitTls ? 465 : 587) : Number(url.port),
    implicitTls,
    tls: readChoice(url, "tls", ["opportunistic", "require", "never"]),
    verify: readChoice(url, "verify", ["true", "false"]) === "true",
    ca: settings.ca ?? null,
    hostname,
    auth: url.username === "" ? null : { user: decode(url.username), password: decode(url.password) },
    pool: readCount(url, "pool", POOL_DEFAULT, POOL_MAX),
    poolWithoutChunking: readCount(url, "pool", POOL_WITHOUT_CHUNKING_DEFAULT, POOL_MAX),
    messages: readCount(url, "messages", MESSAGES_PER_CONNECTION_DEFAULT, Number.MAX_SAFE_INTEGER),
    window: readCount(url, "window", WINDOW_DEFAULT, WINDOW_MAX),
    pipelining: readChoice(url, "pipelining", ["true", "false"]) === "true",
    chunking: readChoice(url, "chunking", ["true", "false"]) === "true",
    timeouts: { ...TIMEOUTS_DEFAULT, ...settings.timeouts },
  };
}

/** Node takes anything for a certificate, and then trusts nobody. */
function checkCertificate(ca: string): void {
  try {
    new X509Certificate(ca);
  } catch {
    throw new Error("the CA certificates for SMTP are not in PEM form");
  }
}

function decode(part: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    throw new Error("the user or password in the SMTP URL is not percent-encoded UTF-8");
  }
  if (text.includes("\0")) throw new Error("the user or password in the SMTP URL has a NUL character");
  return text;
}

/** The first choice is the default. */
function readChoice<const Choice extends string>(
  url: URL,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const written = url.searchParams.get(name);
  if (written === null) return choices[0];
  const choice = choices.find((candidate) => candidate === written);
  if (choice === undefined) throw new Error(`${name} in the SMTP URL must be one of ${choices.join(", ")}`);
  return choice;
}

function readCount(url: URL, name: string, usual: number, max: number): number {
  const written = url.searchParams.get(name);
  if (written === null) return usual;
  const count = /^\d{1,16}$/.test(written) ? Number(written) : 0;
  if (count < 1 || count > max) throw new Error(`${name} in the SMTP URL must be a number from 1 to ${max}`);
  return count;
}

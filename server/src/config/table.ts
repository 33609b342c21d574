import { checked, duration, type Kind, oneOf, url, wholeNumber, words, yesNo } from "#config/kinds.ts";

/** One setting, everything about it in one place. docs/settings.md and `--help` are printed from here. */
export type Setting<T> = {
  readonly env: string;
  readonly flag: string;
  readonly kind: Kind<T>;
  /** As one would write it; null: there is none, and what that means is in `absent`. */
  readonly default: string | null;
  readonly absent?: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  /** Why it exists, why the default is what it is; for the documentation. */
  readonly reason: string;
  /** Never printed; no flag on the command line, where every user of the machine could read it. May be `file:…`. */
  readonly secret: boolean;
  readonly group: "Serving" | "Keeping" | "Sending" | "Watching" | "Client";
};

type Given<T> = Omit<Setting<T>, "secret"> & { readonly secret?: true };
/** A setting that always has a value. */
function always<T>(row: Given<T> & { readonly default: string }): Setting<T> & { readonly default: string } {
  return { ...row, secret: row.secret ?? false };
}
/** A setting that may be absent. */
function maybe<T>(
  row: Omit<Given<T>, "default"> & { readonly absent: string },
): Setting<T> & { readonly default: null } {
  return { ...row, default: null, secret: row.secret ?? false };
}

const MAILBOX = /^(?:[^<>\r\n\0]{0,200}<)?[^\s<>@]{1,64}@[^\s<>@]{1,253}>?$/;
const KEY_MIN_CHARS = 8;

export const SETTINGS = {
  port: always({
    env: "PORT",
    flag: "port",
    kind: wholeNumber(0, 65_535, "port"),
    default: "3300",
    summary: "the one HTTP port; 0 picks a free one",
    reason:
      "Every door (REST, webhooks in, console, metrics) listens here, so there is one thing to open and to watch.",
    group: "Serving",
  }),
  host: always({
    env: "HOST",
    flag: "host",
    kind: words("a host name or an IP address", /^[A-Za-z0-9.:_-]{1,253}$/),
    default: "127.0.0.1",
    summary: "address to listen on; 0.0.0.0 is every network",
    reason: "Loopback until you say otherwise: a key must not travel unencrypted. Put TLS in front before you open it.",
    group: "Serving",
  }),
  publicUrl: maybe({
    env: "TIDINGS_PUBLIC_URL",
    flag: "public-url",
    kind: checked(url("http", "https"), "URL, `https://…` or `http://…`", (text) =>
      /[?#]/.test(text) ? "must not have a query or a fragment" : null,
    ),
    absent: "`http://HOST:PORT`",
    summary: "where recipients reach this server, for unsubscribe links",
    reason: "Mail clients open the one-click unsubscribe link from outside; it must be an address that they can reach.",
    group: "Serving",
  }),
  apiKey: maybe({
    env: "TIDINGS_API_KEY",
    flag: "key",
    kind: words("at least 8 printable characters without spaces", new RegExp(`^[!-~]{${KEY_MIN_CHARS},200}$`)),
    absent: "generated at first start, printed once",
    summary: "the first API key, full rights",
    reason: "Give it in deployments where nobody reads the first start's output; client commands use it as well.",
    secret: true,
    group: "Serving",
  }),
  awsRegion: always({
    env: "TIDINGS_AWS_REGION",
    flag: "aws-region",
    kind: words("a region's name", /^[a-z0-9-]{1,40}$/),
    default: "us-east-1",
    summary: "region in the ARNs of queues, buses and rules",
    reason:
      "AWS' clients sign for a region, and get ARNs of that one; this one holds where no client is asked, as in the events that rules see.",
    group: "Serving",
  }),
  functionsDir: maybe({
    env: "TIDINGS_FUNCTIONS_DIR",
    flag: "functions-dir",
    kind: words("a path", /^[^\0]{1,4000}$/),
    absent: "`functions.folder` of tidings.config.ts, else `functions` where it is started, if that is there",
    summary: "folder with users' functions",
    reason:
      "A project needs no setting for it. An image that holds functions beside the program says here where; docs/functions.md.",
    group: "Serving",
  }),
  metricsAuth: always({
    env: "TIDINGS_METRICS_AUTH",
    flag: "metrics-auth",
    kind: yesNo,
    default: "no",
    summary: "ask for an API key on /metrics",
    reason: "Prometheus usually scrapes from inside; the figures hold no names and no words of messages.",
    group: "Serving",
  }),
  role: always({
    env: "TIDINGS_ROLE",
    flag: "role",
    kind: oneOf("all", "api", "worker"),
    default: "all",
    summary: "what this node does; api or worker need Postgres",
    reason:
      "`api` serves every door and leaves the work to others, `worker` works the queues and serves /health, /ready and /metrics only, `all` does both. Any number of each, on one database.",
    group: "Serving",
  }),
  shutdownGraceMs: always({
    env: "TIDINGS_SHUTDOWN_GRACE_MS",
    flag: "shutdown-grace-ms",
    kind: wholeNumber(0, 600_000, "ms"),
    default: "10000",
    summary: "how long running work may finish after SIGTERM",
    reason:
      "Keep it below your supervisor's patience (Kubernetes: 30 s); what does not finish is tried again at start.",
    group: "Serving",
  }),

  dataDir: always({
    env: "TIDINGS_DATA_DIR",
    flag: "data-dir",
    kind: words("a path", /^[^\0]{1,4000}$/),
    default: "./.tidings",
    summary: "SQLite file, blobs, generated keys",
    reason: "All state in one folder: to back up, to move, to delete. Local disk only; SQLite's locks fail on NFS.",
    group: "Keeping",
  }),
  databaseUrl: maybe({
    env: "TIDINGS_DATABASE_URL",
    flag: "database",
    kind: postgresUrl(),
    absent: "SQLite in the data folder",
    summary: "Postgres, for many nodes: postgres://user:pass@host:port/database",
    reason:
      "One process on SQLite needs nothing else and is the fastest for one machine. Give every node the same database when one machine is not enough; see docs/nodes.md. Postgres 15 to 18, directly or through PgBouncer.",
    secret: true,
    group: "Keeping",
  }),
  databaseConnections: always({
    env: "TIDINGS_DATABASE_CONNECTIONS",
    flag: "database-connections",
    kind: wholeNumber(2, 200, "connections"),
    default: "10",
    summary: "connections of one node to Postgres, at most",
    reason:
      "Commits need two, the rest answers reads side by side; four more listen, tell the time and carry attachments. Postgres allows 100 in all unless told otherwise, which is room for six nodes.",
    group: "Keeping",
  }),
  databaseSchema: always({
    env: "TIDINGS_DATABASE_SCHEMA",
    flag: "database-schema",
    kind: words("a name of up to 48 small letters, digits and _", /^[a-z_][a-z0-9_]{0,47}$/),
    default: "tidings",
    summary: "the schema in Postgres that holds all tables",
    reason:
      "Everything lies in one schema of its own, so that a database can be shared, also by several installations.",
    group: "Keeping",
  }),
  messagesAgeMaxMs: always({
    env: "TIDINGS_MESSAGES_AGE_MAX",
    flag: "messages-age-max",
    kind: duration("1m", "3660d"),
    default: "90d",
    summary: "how long requests and messages are kept",
    reason:
      'A quarter answers nearly every "did she get it?"; the history of a message ends with its journal events. Never while a job or a dead letter still needs them.',
    group: "Keeping",
  }),
  journalAgeMaxMs: always({
    env: "TIDINGS_JOURNAL_AGE_MAX",
    flag: "journal-age-max",
    kind: duration("1m", "3660d"),
    default: "30d",
    summary: "how long events are kept in the journal",
    reason: 'A month answers most questions of "what happened?". Never past a consumer that still has to read them.',
    group: "Keeping",
  }),
  journalEventsMax: always({
    env: "TIDINGS_JOURNAL_EVENTS_MAX",
    flag: "journal-events-max",
    kind: wholeNumber(1_000, 10_000_000_000, "events"),
    default: "10000000",
    summary: "how many events the journal keeps",
    reason: "Ten million events of about 400 bytes are some 4 GB of disk; whichever of age and number is met first.",
    group: "Keeping",
  }),
  backlogMax: always({
    env: "TIDINGS_BACKLOG_MAX",
    flag: "backlog-max",
    kind: wholeNumber(1_000, 1_000_000_000, "jobs"),
    default: "5000000",
    summary: "jobs that may wait in the store before new sends are refused (429)",
    reason: "A provider that is down for days must not fill the disk: five million waiting mails take some 5 GB.",
    group: "Keeping",
  }),
  mailboxMax: always({
    env: "TIDINGS_MAILBOX_MAX",
    flag: "mailbox-max",
    kind: wholeNumber(1, 1_000_000, "messages"),
    default: "10000",
    summary: "how many caught messages are kept, newest first",
    reason: "The mailbox is for looking, not for keeping; ten thousand messages are some 100 MB.",
    group: "Keeping",
  }),

  smtpUrl: maybe({
    env: "TIDINGS_SMTP_URL",
    flag: "smtp-url",
    kind: url("smtp", "smtps"),
    absent: "mail is caught in the mailbox",
    summary: "mail server, smtp://user:pass@host:port",
    reason:
      "`smtps://` is TLS from the first byte. Parameters: `tls=opportunistic|require|never`, `pool=10`; see docs/start.md.",
    secret: true,
    group: "Sending",
  }),
  smtpRate: maybe({
    env: "TIDINGS_SMTP_RATE",
    flag: "smtp-rate",
    kind: wholeNumber(1, 1_000_000, "mails a second"),
    absent: "as fast as the server takes them",
    summary: "most mails a second, of all nodes together",
    reason:
      "For servers and contracts with a limit. Login codes pass before campaigns; what finds no place waits in the store, with its patience untouched.",
    group: "Sending",
  }),
  smtpClient: always({
    env: "TIDINGS_SMTP_CLIENT",
    flag: "smtp-client",
    kind: oneOf("own", "nodemailer"),
    default: "own",
    summary: "who speaks SMTP",
    reason: "`nodemailer` is the reference to compare with when a server behaves oddly; it is slower.",
    group: "Sending",
  }),
  mailFrom: always({
    env: "TIDINGS_MAIL_FROM",
    flag: "mail-from",
    kind: words("a mailbox such as `Acme <hello@acme.example>`", MAILBOX),
    default: "Tidings <tidings@localhost>",
    summary: "sender of mails whose content names none",
    reason: "Set it to a domain of yours before real mail goes out; servers refuse senders that do not exist.",
    group: "Sending",
  }),
  dkimDomain: maybe({
    env: "TIDINGS_DKIM_DOMAIN",
    flag: "dkim-domain",
    kind: words("a domain name", /^[A-Za-z0-9.-]{1,253}$/),
    absent: "mails are not signed",
    summary: "domain that signs mails (DKIM, RFC 6376)",
    reason: "Needed only when the relay does not sign. All three DKIM settings go together.",
    group: "Sending",
  }),
  dkimSelector: maybe({
    env: "TIDINGS_DKIM_SELECTOR",
    flag: "dkim-selector",
    kind: words("a DNS label", /^[A-Za-z0-9.-]{1,63}$/),
    absent: "mails are not signed",
    summary: "name of the DKIM key in DNS",
    reason: "The public half is published at `SELECTOR._domainkey.DOMAIN`.",
    group: "Sending",
  }),
  dkimPrivateKey: maybe({
    env: "TIDINGS_DKIM_PRIVATE_KEY",
    flag: "dkim-private-key",
    kind: pem(),
    absent: "mails are not signed",
    summary: "DKIM private key, PEM or file:PATH",
    reason: "RSA of 2048 bits or Ed25519. In one line, write the line breaks as `\\n`.",
    secret: true,
    group: "Sending",
  }),
  onUnknown: always({
    env: "TIDINGS_ON_UNKNOWN",
    flag: "on-unknown",
    kind: oneOf("retry", "hold"),
    default: "retry",
    summary: "what to do when a provider took a message but never answered",
    reason:
      "`retry` risks a second copy, `hold` risks that nobody got one. A send can choose for itself with `timeout.unknown`.",
    group: "Sending",
  }),
  deadlineMs: maybe({
    env: "TIDINGS_DEADLINE",
    flag: "deadline",
    kind: duration("1s", "366d"),
    absent: "none",
    summary: "how long a send that names no deadline may take before it is late",
    reason:
      "Counted from when a message may first be sent. It holds for what is accepted from then on; see docs/deadlines.md.",
    group: "Sending",
  }),
  late: always({
    env: "TIDINGS_LATE",
    flag: "late",
    kind: oneOf("drop", "send", "collapse"),
    default: "drop",
    summary: "what happens to late messages whose send does not say it",
    reason:
      "After an outage nobody wants yesterday's login code. `collapse` sends only the newest of one kind to each person, and what has no kind is sent.",
    group: "Sending",
  }),
  webhooks: always({
    env: "TIDINGS_WEBHOOKS",
    flag: "webhooks",
    kind: oneOf("auto", "send", "catch"),
    default: "auto",
    summary: "call webhooks, or catch them in the mailbox",
    reason: "`auto` calls them once any real provider is configured, so that a first try on a laptop calls nobody.",
    group: "Sending",
  }),
  webhookSecret: maybe({
    env: "TIDINGS_WEBHOOK_SECRET",
    flag: "webhook-secret",
    kind: words("`whsec_` and 24 to 64 bytes in base64", /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/),
    absent: "generated and kept in the store",
    summary: "signs webhook calls (Standard Webhooks)",
    reason: "Receivers check it; give it when several servers must sign alike.",
    secret: true,
    group: "Sending",
  }),
  webhookAllowPrivate: always({
    env: "TIDINGS_WEBHOOK_ALLOW_PRIVATE",
    flag: "webhook-allow-private",
    kind: yesNo,
    default: "no",
    summary: "let webhooks call private and loopback addresses",
    reason: "Otherwise whoever may send could reach what stands behind your firewall (SSRF).",
    group: "Sending",
  }),

  log: always({
    env: "TIDINGS_LOG",
    flag: "log",
    kind: oneOf("json", "pretty", "silent"),
    default: "json",
    summary: "form of the log on standard error",
    reason: "One JSON object a line for collectors; `pretty` for eyes. Never holds keys or the words of messages.",
    group: "Watching",
  }),

  traceUrl: maybe({
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    flag: "trace-url",
    kind: url("http", "https"),
    absent: "no traces, and nothing of OpenTelemetry is loaded",
    summary: "collector that gets traces, by OTLP over HTTP",
    reason:
      "From door to provider as one picture; `/v1/traces` is put behind it. What a caller did not sample is not traced.",
    group: "Watching",
  }),
  traceHeaders: maybe({
    env: "OTEL_EXPORTER_OTLP_HEADERS",
    flag: "trace-headers",
    kind: words("`name=value`, several with commas between", /^[!-~ ]{3,4000}$/),
    absent: "none",
    summary: "headers for the collector, such as a key",
    reason: "Hosted collectors want to know who sends. In OpenTelemetry's own form, values percent-encoded.",
    secret: true,
    group: "Watching",
  }),
  traceRatio: always({
    env: "OTEL_TRACES_SAMPLER_ARG",
    flag: "trace-ratio",
    kind: ratio(),
    default: "1",
    summary: "part of the traces begun here that is recorded",
    reason: "A span costs some 5 µs and a line at the collector; busy houses record a hundredth.",
    group: "Watching",
  }),
  serviceName: always({
    env: "OTEL_SERVICE_NAME",
    flag: "service-name",
    kind: words("a name", /^[!-~]{1,100}$/),
    default: "tidings",
    summary: "under which name traces come from here",
    reason: "One collector serves many services, and maybe several houses of this one.",
    group: "Watching",
  }),

  url: maybe({
    env: "TIDINGS_URL",
    flag: "url",
    kind: url("http", "https"),
    absent: "the server that runs on the data folder",
    summary: "the server that client commands talk to",
    reason: "Without it, commands find a server on this machine by `local.json` in its data folder.",
    group: "Client",
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;

type ValueOf<Row> = Row extends { readonly kind: Kind<infer T>; readonly default: infer Usual }
  ? Usual extends string
    ? T
    : T | null
  : never;

/** Every setting, read and checked. Durations and ages are in ms; `null` is told by each row's `absent`. */
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

/** Never quoted in a complaint: it holds a password. */
function postgresUrl(): Kind<string> {
  const says = "URL, `postgres://…`";
  return {
    says,
    parse: (text) => {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      if (parsed?.protocol === "postgres:" || parsed?.protocol === "postgresql:") return { value: text };
      return {
        problem: "must be a URL such as postgres://user:password@host:5432/database; leave it out to use SQLite",
      };
    },
  };
}

/** From 0 to 1. */
function ratio(): Kind<number> {
  return {
    says: "number, 0 to 1",
    parse: (text) => {
      const value = /^\d(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
      return value >= 0 && value <= 1 ? { value } : { problem: "must be a number from 0 to 1" };
    },
  };
}

/** PEM text with real or written line breaks. */
function pem(): Kind<string> {
  return {
    says: "PEM or `file:PATH`",
    parse: (text) => {
      const value = text.replaceAll("\\n", "\n");
      const whole = /^-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\s]+-----END [A-Z ]*PRIVATE KEY-----\s*$/.test(
        value,
      );
      return whole ? { value } : { problem: "must be a private key in PEM (-----BEGIN PRIVATE KEY-----)" };
    },
  };
}

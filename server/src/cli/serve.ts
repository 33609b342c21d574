import { once } from "node:events";
import { reachable } from "#cli/access.ts";
import { EXIT, type Exit } from "#cli/exit.ts";
import { count, dateTime, paint, span } from "#cli/output.ts";
import { say, sayJson, type World } from "#cli/world.ts";
import type { Settings } from "#config/settings.ts";
import type { Role } from "#domain/role.ts";
import type { BookNews } from "#functions/book.ts";
import type { FunctionsPlace } from "#ports/functions-place.ts";
import { isLoopback } from "#domain/loopback.ts";

/** What the commands that serve need to know of a running server; `app/server.ts` has more. */
export type Running = {
  readonly url: string;
  readonly role: Role;
  /** This start, as other nodes know it. */
  readonly nodeId: string;
  /** Where everything is kept, in words. */
  readonly store: string;
  readonly firstKey: string | null;
  readonly carriers: readonly { readonly provider: string; readonly channels: readonly string[] }[];
  readonly heldBack: { readonly jobs: number; readonly backupMadeMs: number } | null;
  close(): Promise<void>;
};

export type RunServer = (
  settings: Settings,
  options: {
    readonly dev: boolean;
    readonly writeLog: (line: string) => void;
    readonly functions: FunctionsPlace | null;
    readonly onFunctions: (news: BookNews) => void;
  },
) => Promise<Running>;

/** The server is loaded only when it is to run: other commands start without it. */
export const runRealServer: RunServer = async (settings, options) =>
  (await import("#app/server.ts")).runServer(settings, options);

/** Waits for Ctrl-C or SIGTERM, then closes; a second one ends the process at once (process-world.ts). */
export async function serveUntilStopped(
  world: World,
  server: Running,
  settings: Settings,
  json: boolean,
): Promise<Exit> {
  if (!world.signal.aborted) await once(world.signal, "abort");
  if (json) sayJson(world, { event: "stopping" });
  else {
    const grace = span(settings.shutdownGraceMs);
    say(world.err, `\nStopping: what is in hand is finished, at most ${grace}. Once more stops at once.`);
  }
  await server.close();
  if (json) sayJson(world, { event: "stopped" });
  else say(world.err, "Stopped.");
  return EXIT.ok;
}

/** Where this server can be reached and by whom, if that needs a word. */
export function exposureWarning(settings: Settings): string | null {
  const { host, port, publicUrl } = settings;
  if (isLoopback(host) || publicUrl?.startsWith("https:") === true) return null;
  return (
    `listening on ${reachable(host) === host ? host : `${host}, every network`}, port ${port}, without TLS: keys and messages ` +
    "can be read on the way. Put a TLS proxy in front and set TIDINGS_PUBLIC_URL to its https:// address."
  );
}

/** A paste-ready call that sends a first notification. @param key may be a shell variable. */
export function firstCall(url: string, key: string): readonly string[] {
  return [
    `curl ${url}/send \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '{"message": {"to": {"email": "ada@example.com"},`,
    `       "content": {"title": "Hello", "body": "It works."}}}'`,
  ];
}

export function sayNotes(world: World, notes: readonly string[]): void {
  for (const note of notes) say(world.err, `${paint(world.err, "yellow", "!")} ${note}`);
}

/** What waits for somebody's decision since a restore, and how to decide; null when nothing does. */
export function heldBackLine({ heldBack }: Pick<Running, "heldBack">): string | null {
  if (heldBack === null) return null;
  const jobs = `${count(heldBack.jobs, "job is", "jobs are")} held back`;
  return `${jobs} since the backup of ${dateTime(heldBack.backupMadeMs)} was restored; to decide: tidings held`;
}

/** `email via smtp`, and what happens to everything else. */
export function carriersLine({ carriers }: Running): string {
  const real = carriers.filter(({ provider }) => provider !== "mailbox");
  const caught = carriers.filter(({ provider }) => provider === "mailbox").flatMap(({ channels }) => channels);
  const sent = real.map(({ provider, channels }) => `${channels.join(", ")} by ${provider}`);
  if (real.length === 0) return "every channel is caught in the mailbox, nothing leaves";
  return [...sent, ...(caught.length === 0 ? [] : [`${caught.join(", ")} caught in the mailbox`])].join("; ");
}

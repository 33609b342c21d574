import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isAlive } from "#app/is-alive.ts";
import { Client, type Target } from "#cli/client.ts";
import { UsageFault } from "#cli/exit.ts";
import { object, text } from "#cli/json.ts";
import type { Options } from "#cli/options.ts";
import type { World } from "#cli/world.ts";
import { SETTINGS } from "#config/table.ts";
import { OperatorFault } from "#domain/faults.ts";
import type { Json } from "#domain/json.ts";

/** In the data folder of a running server, readable by its owner alone: how commands on the same machine get in. */
export const LOCAL_ACCESS_FILE = "local.json";
/** Where `tidings dev` keeps its data, apart from that of `start`. */
export const DEV_FOLDER = "dev";

export type LocalAccess = { readonly url: string; readonly token: string; readonly pid: number };

/**
 * The server that a command should talk to: `--url`, TIDINGS_URL, the one that runs on the data folder, or the usual
 * address when a key is given.
 *
 * @throws {OperatorFault} "server.unreachable" when there is no trace of a server; {UsageFault} for a malformed URL.
 */
export function openClient(world: World, options: Options): Promise<Client> {
  return Client.open(findTarget(world, options));
}

export function findTarget(world: World, options: Options): Target {
  const key = options.text("key") ?? present(world.env[SETTINGS.apiKey.env]);
  const local = findLocalAccess(world, options);
  const flag = options.text("url");
  const url = flag ?? present(world.env[SETTINGS.url.env]);
  if (url !== null) {
    const parsed = SETTINGS.url.kind.parse(url);
    if ("problem" in parsed) throw new UsageFault(`${flag === null ? SETTINGS.url.env : "--url"} ${parsed.problem}`);
    const known = local.find(({ access }) => sameOrigin(access.url, url));
    return { url, key: key ?? known?.access.token ?? null, from: flag === null ? SETTINGS.url.env : "--url" };
  }
  const [running] = local;
  if (running !== undefined) {
    return { url: running.access.url, key: key ?? running.access.token, from: running.file };
  }
  if (key !== null) {
    const host = present(world.env[SETTINGS.host.env]) ?? SETTINGS.host.default;
    const port = present(world.env[SETTINGS.port.env]) ?? SETTINGS.port.default;
    return { url: `http://${reachable(host)}:${port}`, key, from: "the usual address" };
  }
  throw new OperatorFault("server.unreachable", `no server runs on the data folder ${dataDirOf(world, options)}`);
}

/** Addresses that mean "every network" are reached through loopback. */
export function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

export function dataDirOf(world: World, options: Options): string {
  const given = options.text("dataDir") ?? present(world.env[SETTINGS.dataDir.env]);
  return resolve(world.cwd, given ?? SETTINGS.dataDir.default);
}

type Found = { readonly file: string; readonly access: LocalAccess };

/** Servers that left their address in the data folder and still run: `start` first, then `dev`. */
function findLocalAccess(world: World, options: Options): readonly Found[] {
  const folder = dataDirOf(world, options);
  return [folder, join(folder, DEV_FOLDER)].flatMap((place) => {
    const file = join(place, LOCAL_ACCESS_FILE);
    const access = readLocalAccess(file);
    return access !== null && isAlive(access.pid) ? [{ file, access }] : [];
  });
}

/** What a server left there; null when there is none or it cannot be read. */
export function readLocalAccess(file: string): LocalAccess | null {
  try {
    const body = object(JSON.parse(readFileSync(file, "utf8")) as Json);
    const [url, token, pid] = [text(body, "url"), text(body, "token"), Number(text(body, "pid"))];
    return url !== "" && token !== "" && Number.isSafeInteger(pid) ? { url, token, pid } : null;
  } catch {
    return null;
  }
}

function sameOrigin(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
}

function present(value: string | undefined): string | null {
  const trimmed = value?.trim() ?? "";
  return trimmed === "" ? null : trimmed;
}

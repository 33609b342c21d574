import type { Client } from "#cli/client.ts";
import { segment } from "#cli/client.ts";
import { number, object, rows, text } from "#cli/json.ts";
import { type MessageView, viewOf, wayOf } from "#cli/message-view.ts";
import { count, grouped, paint, statusStyle } from "#cli/output.ts";
import { say, type World } from "#cli/world.ts";
import type { JsonObject } from "#domain/json.ts";
import { isSettled, MESSAGE_STATUSES } from "#domain/message.ts";

/** Messages of one send that are told one by one; of more, those that failed. */
export const TOLD_MAX = 10;

/** Was everybody told? What has become of one send. */
export type Balance = {
  readonly messages: number;
  readonly settled: number;
  /** By status, how many. */
  readonly outcomes: JsonObject;
  /** Everybody was found and every message has its outcome. */
  readonly complete: boolean;
  /** Some of it waits for a decision since a backup was restored. */
  readonly heldBack: boolean;
  /** The rest of its recipients was given up after a restore. */
  readonly dropped: boolean;
};

export async function balanceOf(client: Client, requestId: string): Promise<Balance> {
  const report = object(await client.get(`requests/${segment(requestId)}`));
  return {
    messages: number(report, "messages") ?? 0,
    settled: number(report, "settled") ?? 0,
    outcomes: object(report["outcomes"]),
    complete: report["complete"] === true,
    heldBack: report["heldBack"] === true,
    dropped: number(report, "dropped") !== null,
  };
}

/** All went out, and there was somebody to go to. */
export function isAllGood({ complete, dropped, messages, outcomes }: Balance): boolean {
  return (
    complete && !dropped && messages > 0 && Object.keys(outcomes).every((status) => statusStyle(status) === "green")
  );
}

/** Some messages of a send, worth telling: all of a few, else those that did not get out. */
export async function tellable(
  client: Client,
  requestId: string,
  { messages, outcomes }: Balance,
): Promise<readonly JsonObject[]> {
  if (messages === 0) return [];
  // The only message of a request has its id, and only asked for by id it tells its providers.
  if (messages === 1) {
    const [only] = rows(await client.get("messages", { traceId: requestId, limit: 1 }));
    return only === undefined ? [] : [object(await client.get(`messages/${segment(text(only, "id"))}`))];
  }
  const failed = MESSAGE_STATUSES.filter((one) => one in outcomes && isSettled(one) && statusStyle(one) !== "green");
  if (messages > TOLD_MAX && failed.length === 0) return [];
  const status = messages > TOLD_MAX ? failed : null;
  return rows(await client.get("messages", { traceId: requestId, limit: TOLD_MAX, status }));
}

/** A line per message that is worth it, and the sum. */
export function tellBalance(
  world: World,
  { messages, outcomes, complete, heldBack, dropped }: Balance,
  told: readonly MessageView[],
): void {
  const { out } = world;
  const width = Math.max(9, ...told.map(({ status }) => status.length));
  for (const view of told) {
    const why = [wayOf(view), view.reason, view.error].filter((part) => part !== "").join(", ");
    const status = paint(out, statusStyle(view.status), view.status.padEnd(width));
    say(
      out,
      `${signOf(world, view.status)} ${status}  ${view.recipient}${why === "" ? "" : `  ${paint(out, "dim", why)}`}`,
    );
  }
  if (heldBack) say(out, "  Some of it is held back since a backup was restored; to decide: tidings held");
  if (dropped) say(out, "  The rest of its recipients was given up after a restore: they get no message.");
  if (messages <= 1) return;
  const parts = Object.entries(outcomes).map(
    ([status, many]) => `${grouped(Number(many))} ${paint(out, statusStyle(status), status)}`,
  );
  say(out, `  ${count(messages, "message")}: ${parts.join(", ")}${complete ? "" : ", not complete yet"}`);
}

function signOf(world: World, status: string): string {
  const known = MESSAGE_STATUSES.find((one) => one === status);
  if (known === undefined || !isSettled(known)) return paint(world.out, "cyan", "…");
  return statusStyle(status) === "green" ? paint(world.out, "green", "✓") : paint(world.out, "red", "✗");
}

/** The first of them that did not get out. */
export function firstFailed(told: readonly JsonObject[]): string | null {
  const failed = told.map(viewOf).find(({ status }) => status.startsWith("UN"));
  return failed?.id ?? null;
}

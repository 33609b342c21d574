import { arnText } from "#domain/arn.ts";
import { iso } from "#doors/http/routes/directory-view.ts";
import type { WebAnswer } from "#ports/web-caller.ts";
import type { LoggedDelivery } from "#webhooks/delivery.ts";
import type { Endpoint } from "#webhooks/endpoint.ts";
import type { RangeReplay } from "#webhooks/replay-stage.ts";

/** An endpoint as JSON text, its pattern as it was written; secrets only when they were just made. */
export function webhookText(endpoint: Endpoint, more: object = {}): string {
  const { id, url, description, state, disabledBy, format, subscription, allowPrivate, headers } = endpoint;
  const view = {
    id,
    arn: arnText({ kind: "webhook", id }, ""),
    url,
    description,
    enabled: state === "enabled",
    disabledBy,
    format,
    bus: subscription?.bus ?? null,
    allowPrivate,
    headerNames: Object.keys(headers),
    timeoutMs: endpoint.timeoutMs,
    secrets: endpoint.secrets.map(({ createdMs, untilMs }) => ({
      created: iso(createdMs),
      until: isoOrNull(untilMs),
    })),
    created: iso(endpoint.createdMs),
    modified: iso(endpoint.modifiedMs),
    ...more,
  };
  return `${JSON.stringify(view).slice(0, -1)},"pattern":${subscription?.pattern ?? "null"}}`;
}

export function deliveryView({ id, messageId, type, state, bornMs, nextMs, error, tries }: LoggedDelivery) {
  return {
    id,
    messageId,
    type,
    state,
    began: iso(bornMs),
    next: isoOrNull(nextMs),
    error,
    tries: tries.map(({ atMs, status, tookMs, says }) => ({ at: iso(atMs), status, tookMs, says })),
  };
}

/** With what was posted, as it was. */
export function deliveryText({
  delivery,
  body,
}: {
  readonly delivery: LoggedDelivery;
  readonly body: string | null;
}): string {
  return `${JSON.stringify(deliveryView(delivery)).slice(0, -1)},"payload":${body ?? "null"}}`;
}

export function replayView({ state, fromMs, untilMs, bus, replayed, startedMs, endedMs }: RangeReplay) {
  return {
    state,
    from: iso(fromMs),
    to: iso(untilMs),
    bus,
    replayed,
    started: iso(startedMs),
    ended: isoOrNull(endedMs),
  };
}

export function testView(answer: WebAnswer) {
  if (answer.kind !== "answered") {
    const tookMs = answer.kind === "forbidden" ? null : answer.tookMs;
    return { delivered: false, status: null, says: answer.reason, tookMs };
  }
  const { status, body, tookMs } = answer;
  return { delivered: status >= 200 && status < 300, status, says: body, tookMs };
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}

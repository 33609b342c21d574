import { readFileSync } from "node:fs";
import { Health, Readiness } from "@tidings/contract";
import { json, jsonText, type TextAnswer } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import type { Clock } from "#ports/clock.ts";

/** A store that does not answer within this, or is at one commit for longer, is not ready to be sent to. */
const READY_MS_MAX = 2_000;

type Service = Asked & Pick<HttpHouse, "metrics" | "settings">;

/** What machines ask of every node: alive, ready, how much. */
export function registerProbes(routes: Routes, house: Service): void {
  const { settings } = house;
  const alive = json(200, { status: "ok", version: settings.version });
  routes.add({
    method: "GET",
    path: "/health",
    tag: "service",
    scope: "open",
    summary: "The process is alive",
    answers: { 200: { says: "Alive", body: Health } },
    handle: () => alive,
  });

  routes.add({
    method: "GET",
    path: "/ready",
    tag: "service",
    scope: "open",
    summary: "The process can take work: its store answers and takes commits, and its engine runs",
    answers: { 200: { says: "Ready", body: Readiness }, 503: { says: "Not (yet) ready", body: Readiness } },
    handle: () => readiness(house),
  });

  routes.add({
    method: "GET",
    path: "/metrics",
    tag: "service",
    scope: settings.metricsNeedKey ? "read" : "open",
    summary: "Numbers for Prometheus",
    answers: { 200: { says: "Text exposition format 0.0.4", type: "text/plain" } },
    handle: async () => ({
      kind: "text",
      status: 200,
      type: "text/plain; version=0.0.4; charset=utf-8",
      body: await house.metrics.text(),
    }),
  });
}

/** The same, what there is to call, and the reference for people. */
export function registerService(routes: Routes, house: Service, openApi: () => string): void {
  registerProbes(routes, house);

  routes.add({
    method: "GET",
    path: "/openapi.json",
    tag: "service",
    scope: "open",
    summary: "This interface as OpenAPI 3.1",
    answers: { 200: { says: "The document", type: "application/json" } },
    handle: () => jsonText(200, openApi()),
  });

  let page: TextAnswer | null = null;
  routes.add({
    method: "GET",
    path: "/docs",
    tag: "service",
    scope: "open",
    summary: "This interface for people",
    answers: { 200: { says: "One page that needs nothing from elsewhere", type: "text/html" } },
    handle: () => (page ??= referencePage()),
  });
}

function referencePage(): TextAnswer {
  return {
    kind: "text",
    status: 200,
    type: "text/html; charset=utf-8",
    body: readFileSync(new URL("../reference.html", import.meta.url), "utf8"),
    headers: {
      "content-security-policy":
        "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    },
  };
}

type Asked = Pick<HttpHouse, "store" | "engine" | "clock" | "started">;

async function readiness({ store, engine, clock, started }: Asked): Promise<TextAnswer> {
  if (!started()) return json(503, { status: "starting", reason: "The engine has not started yet." });
  const asked = Promise.all([engine.storeTakes(READY_MS_MAX), store.journalBounds()]);
  switch (await inTime(asked, clock)) {
    case null:
      return json(503, { status: "waiting", reason: "The store does not answer." });
    case false:
      return json(503, { status: "waiting", reason: "The store takes no commits; the log says why." });
    default:
      return json(200, { status: "ready" });
  }
}

/** Whether the store takes commits; null when it does not answer, or not within our patience. */
async function inTime(asked: Promise<readonly [takes: boolean, ...unknown[]]>, clock: Clock): Promise<boolean | null> {
  const { promise, resolve } = Promise.withResolvers<boolean | null>();
  const timer = clock.after(READY_MS_MAX, () => resolve(null));
  asked.then(
    ([takes]) => resolve(takes),
    () => resolve(null),
  );
  const answered = await promise;
  timer.cancel();
  return answered;
}

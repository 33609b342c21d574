import { readFileSync } from "node:fs";
import { Health, Readiness } from "@tidings/contract";
import { json, jsonText, type TextAnswer } from "#doors/http/answer.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";

/** A store that does not answer within this is not ready to be sent to. */
const READY_MS_MAX = 2_000;

/** What machines ask: alive, ready, how much, and what there is to call; and the reference for people. */
export function registerService(
  routes: Routes,
  house: Pick<HttpHouse, "store" | "clock" | "metrics" | "settings" | "started">,
  openApi: () => string,
): void {
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
    summary: "The process can take work: its store answers and its engine runs",
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

async function readiness({
  store,
  clock,
  started,
}: Pick<HttpHouse, "store" | "clock" | "started">): Promise<TextAnswer> {
  if (!started()) return json(503, { status: "starting", reason: "The engine has not started yet." });
  return (await answersInTime(store, clock))
    ? json(200, { status: "ready" })
    : json(503, { status: "waiting", reason: "The store does not answer." });
}

async function answersInTime(store: Store, clock: Clock): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = clock.after(READY_MS_MAX, () => resolve(false));
  store.journalBounds().then(
    () => resolve(true),
    () => resolve(false),
  );
  const answered = await promise;
  timer.cancel();
  return answered;
}

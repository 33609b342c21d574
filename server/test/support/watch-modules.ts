/** Loaded before a program (`--import`): writes down which modules of OpenTelemetry it loads, in whatever thread. */
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

const file = process.env["WATCH_MODULES_FILE"] ?? "";

registerHooks({
  load: (url, context, nextLoad) => {
    if (url.includes("@opentelemetry/") || url.includes("drivers/otel/")) appendFileSync(file, `${url}\n`);
    return nextLoad(url, context);
  },
});

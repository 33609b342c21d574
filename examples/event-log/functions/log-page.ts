import { defineFunction, http } from "tidings";

/** The page that asks the index: http://127.0.0.1:3300/log?q=order */
export default defineFunction({
  on: http("GET", "/log", { auth: "none" }),
  async handler({ query }, { settings, signal }) {
    const asked = query["q"] ?? "";
    const answer = await fetch(`${String(settings["searchUrl"])}/search?q=${encodeURIComponent(asked)}`, { signal });
    const lines = (await answer.json()) as readonly Record<"time" | "source" | "type" | "text", string>[];
    const rows = lines.map(
      ({ time, source, type, text }) =>
        `<tr><td>${escape(time)}</td><td>${escape(source)}</td><td>${escape(type)}</td><td>${escape(text)}</td></tr>`,
    );
    const nothing = asked === "" ? "No event yet: raise one." : "Nothing found.";
    return {
      headers: { "content-type": "text/html; charset=utf-8" },
      body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Event log</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: 0.5rem; }
  table { border-collapse: collapse; width: 100%; margin-top: 1rem; }
  td { border-top: 1px solid #8884; padding: 0.4rem 0.6rem 0.4rem 0; vertical-align: top; overflow-wrap: anywhere; }
  @media (max-width: 40rem) { tr { display: block; border-top: 1px solid #8884; padding: 0.4rem 0; } td { display: block; border: 0; padding: 0; } }
</style>
<h1>Event log</h1>
<form><input name="q" type="search" value="${escape(asked)}" placeholder="Words in source, type or data" aria-label="Search" autofocus></form>
${rows.length === 0 ? `<p>${nothing}</p>` : `<table>${rows.join("\n")}</table>`}
</html>`,
    };
  },
});

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

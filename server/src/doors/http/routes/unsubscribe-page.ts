import { hash } from "node:crypto";
import type { FarewellView } from "#directory/unsubscribe.ts";
import type { TextAnswer } from "#doors/http/answer.ts";

/**
 * What a person sees behind the unsubscribe link: one card, one button, nothing from elsewhere, no script.
 *
 * @param after `asked`: they looked; `left`, `returned`: they pressed the button.
 */
export function unsubscribePage(view: FarewellView, after: "asked" | "left" | "returned"): TextAnswer {
  const what = `mail from <strong>${escape(view.name ?? "us")}</strong>`;
  const who = view.farewell.kind === "address" ? ` at <strong>${escape(veiled(view.farewell.address))}</strong>` : "";
  if (view.subscribed && after === "returned") {
    return page(200, {
      mark: TICK,
      title: "Welcome back",
      says: `You will get ${what}${who} again.`,
      button: { action: "unsubscribe", label: "Unsubscribe", quiet: true },
    });
  }
  if (view.subscribed) {
    return page(200, {
      mark: LETTER,
      title: "Unsubscribe?",
      says: `You will get no more ${what}${who}. ${view.name === null ? "" : "Everything else that you have asked for still comes."}`,
      button: { action: "unsubscribe", label: "Unsubscribe", quiet: false },
    });
  }
  return page(200, {
    mark: TICK,
    title: after === "left" ? "You are unsubscribed" : "You are not subscribed",
    says: `You will get no more ${what}${who}.${view.mayReturn ? " Changed your mind, or was it a slip?" : ""}`,
    button: view.mayReturn ? { action: "resubscribe", label: "Subscribe again", quiet: true } : null,
  });
}

/** For a link that is none of ours, most often one that a mail program has cut. */
export function unknownLinkPage(): TextAnswer {
  return page(404, {
    mark: BROKEN,
    title: "This link does not work",
    says: "It may have been cut off on its way. Open it from the mail once more, or copy the whole link.",
    button: null,
  });
}

type Card = {
  readonly mark: string;
  readonly title: string;
  /** HTML; whatever comes from outside is escaped already. */
  readonly says: string;
  readonly button: { readonly action: string; readonly label: string; readonly quiet: boolean } | null;
};

function page(status: number, { mark, title, says, button }: Card): TextAnswer {
  // An empty action posts to where the page came from, also behind a proxy that adds to the path.
  const form =
    button === null
      ? ""
      : `<form method="post" action=""><input type="hidden" name="action" value="${button.action}"><button${button.quiet ? ' class="quiet"' : ""}>${button.label}</button></form>`;
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<svg viewBox="0 0 24 24" aria-hidden="true">${mark}</svg>
<h1>${title}</h1>
<p>${says.trim()}</p>
${form}
</main>
</body>
</html>
`;
  return { kind: "text", status, type: "text/html; charset=utf-8", body, headers: HEADERS };
}

const TICK = '<circle cx="12" cy="12" r="9.25"/><path d="m8 12.4 2.8 2.8L16.2 9.4"/>';
const LETTER = '<rect x="2.75" y="5" width="18.5" height="14" rx="2.5"/><path d="m3.5 7 8.5 6.2L20.5 7"/>';
const BROKEN =
  '<path d="M10 14.5 7.8 16.7a3.4 3.4 0 0 1-4.8-4.8l2.6-2.6M14 9.5l2.2-2.2a3.4 3.4 0 0 1 4.8 4.8l-2.6 2.6M4 4l2 2m14 14-2-2"/>';

const STYLE = `
:root{--ground:#f4f3f0;--card:#fff;--ink:#1b1a18;--soft:#5c5852;--line:#e3e0da;--act:#2b4acb;--on-act:#fff}
@media(prefers-color-scheme:dark){:root{--ground:#141416;--card:#1d1e21;--ink:#f1efec;--soft:#a9a59e;--line:#34353a;--act:#8ea6ff;--on-act:#10131f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:24px 16px;background:var(--ground);color:var(--ink);font:17px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:26rem;padding:40px 32px;background:var(--card);border:1px solid var(--line);border-radius:20px;text-align:center}
svg{width:44px;height:44px;fill:none;stroke:var(--act);stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
h1{margin:14px 0 8px;font-size:1.45rem;line-height:1.25;letter-spacing:-.015em;text-wrap:balance}
p{margin:0;color:var(--soft);overflow-wrap:anywhere;text-wrap:pretty}
strong{color:var(--ink);font-weight:600}
form{margin:28px 0 0}
button{width:100%;min-height:50px;padding:0 20px;border:1px solid transparent;border-radius:12px;background:var(--act);color:var(--on-act);font:inherit;font-weight:600;cursor:pointer}
button.quiet{background:none;border-color:var(--line);color:var(--ink)}
button:hover{filter:brightness(1.08)}
button.quiet:hover{border-color:var(--soft)}
button:focus-visible{outline:3px solid var(--act);outline-offset:3px}
@media(max-width:420px){main{padding:32px 22px}}
`;

/** Only our own style, by its digest, and forms to where we are: nothing that was smuggled in could run or leave. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${hash("sha256", STYLE, "base64")}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

/** Enough for its owner to know it by: `a•••@example.com`. A forwarded mail should not tell more. */
function veiled(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 1 ? `${address.slice(0, 2)}•••` : `${address.slice(0, 1)}•••${address.slice(at)}`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);
}

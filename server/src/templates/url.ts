/** Where a URL is used: behind a link, or as the source of a picture. */
export type UrlUse = "link" | "picture";

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;
const LINK_SCHEMES: ReadonlySet<string> = new Set(["http", "https", "mailto", "tel"]);
const PICTURE_SCHEMES: ReadonlySet<string> = new Set(["http", "https", "cid"]);
// Only raster pictures: an SVG is a document that can carry scripts.
const PICTURE_DATA = /^data:image\/(?:png|jpeg|jpg|gif|webp);base64,[a-z0-9+/=]*$/i;

/**
 * The URL if it is harmless to follow, "" if it is not: http, https, mailto and tel for links; http, https, cid and
 * inline raster images for pictures; relative ones for both. Looks past what browsers ignore (URL Standard §4.4:
 * control characters and spaces around, tabs and line breaks inside).
 */
export function safeUrl(url: string, use: UrlUse): string {
  const clean = CLUTTER.test(url) ? encodeUrl(withoutClutter(url)) : url;
  // Nearly all of them.
  if (clean.startsWith("https://") || clean.startsWith("http://")) return clean;
  const scheme = SCHEME.exec(clean)?.[1]?.toLowerCase();
  if (scheme === undefined) return clean;
  if (use === "link") return LINK_SCHEMES.has(scheme) ? clean : "";
  return PICTURE_SCHEMES.has(scheme) || PICTURE_DATA.test(clean) ? clean : "";
}

const CLUTTER = /[\0-\x20]/;

function withoutClutter(url: string): string {
  let from = 0;
  let to = url.length;
  while (from < to && url.charCodeAt(from) <= 0x20) from += 1;
  while (from < to && url.charCodeAt(to - 1) <= 0x20) to -= 1;
  return url.slice(from, to).replace(/[\t\n\r]/g, "");
}

const PLAIN = /^[\w\-.~:/?#@!$&'()*+,;=%]*$/;
const PLAIN_COMPONENT = /^[\w\-.~!*'()%]*$/;

/** Percent-encodes what no URL may hold (RFC 3986 §2); what already is encoded stays. For a value that is a URL or part of a path. */
export function encodeUrl(value: string): string {
  return PLAIN.test(value) ? value : keepEncoded(encodeURI(value.trim().toWellFormed()));
}

/** Percent-encodes a value behind a `=` in a query so that it stays one value: `&`, `#` and `+` as well. */
export function encodeQueryValue(value: string): string {
  return PLAIN_COMPONENT.test(value) ? value : keepEncoded(encodeURIComponent(value.toWellFormed()));
}

function keepEncoded(encoded: string): string {
  return encoded.replace(/%25([0-9a-f]{2})/gi, "%$1");
}

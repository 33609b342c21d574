import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { oneLine, tidyText } from "./escape.ts";
import type { Frame } from "./frame.ts";
import { htmlText } from "./html-text.ts";
import { inlineText, plainInline } from "./inline.ts";
import { RAW_DEPTH_MAX } from "./limits.ts";
import { type Mode, type Program, ProgramBuilder } from "./program.ts";
import { rawHtml } from "./raw-html.ts";
import type { TextNode } from "./syntax.ts";

/** A channel's `raw`, filled in. */
export type RawWords = {
  readonly title: string;
  readonly html: string;
  readonly text: string;
  readonly raw: JsonObject;
};
export type Raw = (frame: Frame) => RawWords;

/** Compiles `raw`: provider content as its author wrote it, with variables. E-mail: `{ subject, html, text }`. */
export function compileRaw(build: Build, raw: Json, path: string, channel: string): Raw {
  if (!isJsonObject(raw)) {
    build.fault(path, "must be an object");
    return () => ({ title: "", html: "", text: "", raw: {} });
  }
  return channel === "email" ? compileMail(build, raw, path) : compileOther(build, raw, path);
}

function compileMail(build: Build, raw: JsonObject, path: string): Raw {
  const transformers = raw["transformers"];
  if (Array.isArray(transformers) && transformers.includes("mjml")) {
    build.fault(`${path}.transformers`, "mjml is not supported yet; send the HTML that it makes");
  }
  if (raw["html"] === undefined && raw["text"] === undefined) build.fault(path, "needs html or text");
  const subject = text(build.text(raw["subject"], `${path}.subject`));
  const htmlNodes = build.text(raw["html"], `${path}.html`);
  const html = rawHtml(htmlNodes);
  const words = raw["text"] === undefined ? htmlText(htmlNodes) : text(build.text(raw["text"], `${path}.text`));
  return (frame) => {
    const filled = { subject: oneLine(subject.run(frame)), html: html.run(frame), text: tidyText(words.run(frame)) };
    return { title: filled.subject, html: filled.html, text: filled.text, raw: filled };
  };
}

function compileOther(build: Build, raw: JsonObject, path: string): Raw {
  const fill = compileObject(build, raw, path, 1);
  return (frame) => {
    const filled = fill(frame);
    const payload = filled["payload"];
    const body = filled["text"] ?? filled["body"] ?? (isJsonObject(payload) ? payload["body"] : undefined);
    const title = filled["title"] ?? filled["subject"];
    return {
      title: typeof title === "string" ? oneLine(title) : "",
      html: "",
      text: typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body),
      raw: filled,
    };
  };
}

function text(nodes: readonly TextNode[]): Program {
  return inlineText(plainInline(nodes));
}

type Fill = (frame: Frame) => Json;

function compileValue(build: Build, value: Json, path: string, depth: number): Fill {
  if (typeof value === "string") {
    const program = compileText(build.text(value, path), isJsonLike(value) ? "json" : "text");
    return program.run;
  }
  if (typeof value !== "object" || value === null) return () => value;
  if (depth > RAW_DEPTH_MAX) {
    build.fault(path, `is nested deeper than ${RAW_DEPTH_MAX}`);
    return () => null;
  }
  if (!Array.isArray(value)) return isJsonObject(value) ? compileObject(build, value, path, depth + 1) : () => null;
  const items = (value as readonly Json[]).map((item, at) => compileValue(build, item, `${path}[${at}]`, depth + 1));
  return (frame) => items.map((fill) => fill(frame));
}

function compileObject(build: Build, object: JsonObject, path: string, depth: number): (frame: Frame) => JsonObject {
  const fields = Object.entries(object).map(
    ([name, value]) =>
      [
        name,
        build.countElement(`${path}.${name}`) ? compileValue(build, value, `${path}.${name}`, depth) : () => null,
      ] as const,
  );
  return (frame) => Object.fromEntries(fields.map(([name, fill]) => [name, fill(frame)]));
}

/** A text that is JSON itself, such as a webhook's body: values must not break out of its quotes. */
function isJsonLike(source: string): boolean {
  return /^\s*(?:\[\s*[{["]|\{\s*["}])/.test(source) && /[\]}]$/.test(source.trimEnd());
}

function compileText(nodes: readonly TextNode[], mode: Mode): Program {
  const builder = new ProgramBuilder();
  for (const node of nodes) {
    if (node.kind === "literal") builder.literal(node.text);
    else if (node.kind === "value") builder.value(node, mode);
    else builder.block(node, compileText(node.body, mode), compileText(node.otherwise, mode));
  }
  return builder.build();
}

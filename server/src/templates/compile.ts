import type { Channel } from "#domain/content.ts";
import { isJsonObject, type Json, type JsonObject } from "#domain/json.ts";
import { Build, type TemplateFault } from "./build.ts";
import { compileDocument } from "./document.ts";
import { guarded, newFrame } from "./frame.ts";
import type { Rendered, RenderFailure } from "./rendered.ts";
import type { Scope } from "./scope.ts";

export type { TemplateFault } from "./build.ts";

/** A template, ready to be said to many. Holds no state: any number of renderings may share it. */
export type Compiled = {
  /** Never throws. Ends within the limits of `limits.ts`, whatever the data. */
  render(target: { readonly channel: Channel; readonly provider: string }, scope: Scope): Rendered | RenderFailure;
};

export type CompileOptions = {
  /** What a variable without a value does: leaves a gap (default), or fails the channel ("throw on variable not found"). */
  readonly onMissing?: "empty" | "fail";
};

export type CompileResult =
  | { readonly ok: true; readonly template: Compiled }
  | { readonly ok: false; readonly faults: readonly TemplateFault[] };

/**
 * Compiles Courier content: sugar `{ title, body }` or an Elemental document `{ version, elements }`. Never throws:
 * whatever is wrong with it comes back as faults, each with the place where it stands.
 */
export function compileContent(content: Json, options: CompileOptions = {}): CompileResult {
  const build = new Build();
  const elements = isJsonObject(content) ? elementsOf(build, content) : notAnObject(build);
  const document = compileDocument(build, elements, "content.elements");
  if (build.faults.length > 0) return { ok: false, faults: build.faults };
  const strict = options.onMissing === "fail";
  return {
    ok: true,
    template: { render: (target, scope) => guarded(() => document(newFrame(scope, target, strict))) },
  };
}

function notAnObject(build: Build): readonly JsonObject[] {
  build.fault("content", "must be an object: { title, body } or { version, elements }");
  return [];
}

/** Sugar is a title and one text. Given together with elements, its title is the one behind theirs. */
function elementsOf(build: Build, content: JsonObject): readonly JsonObject[] {
  const { title, body, elements, version } = content;
  if (version !== undefined && typeof version !== "string") build.fault("content.version", "must be a text");
  if (typeof (title ?? "") !== "string") build.fault("content.title", "must be a text");
  if (typeof (body ?? "") !== "string") build.fault("content.body", "must be a text");
  if (elements !== undefined && elements !== null) return build.objects(elements, "content.elements");
  if (title === undefined && body === undefined) build.fault("content", "needs a title and a body, or elements");
  return [
    { type: "meta", title: title ?? "" },
    { type: "text", content: body ?? "" },
  ];
}

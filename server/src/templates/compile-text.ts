import { Build } from "./build.ts";
import { oneLine } from "./escape.ts";
import { guarded, newFrame } from "./frame.ts";
import { inlineHtml, inlineText, plainInline } from "./inline.ts";
import type { RenderFailure } from "./rendered.ts";
import type { Scope } from "./scope.ts";

/** `html`: values are escaped, the text around them too. `text`: neither. `line`: as text, folded into one line. */
export type TextMode = "html" | "text" | "line";

export type RenderedText = { readonly ok: true; readonly text: string };
export type CompiledText = { render(scope: Scope, mode: TextMode): RenderedText | RenderFailure };

/** Compiles a single text with variables: an overridden subject, a sender, a header. Keep the result, it holds no state. */
export function compileText(source: string): { readonly ok: true; readonly template: CompiledText } | RenderFailure {
  const build = new Build();
  const inline = plainInline(build.text(source, "text"));
  const [fault] = build.faults;
  if (fault !== undefined) return { ok: false, problem: fault.problem };
  const html = inlineHtml(inline, "page");
  const text = inlineText(inline);
  const render: CompiledText["render"] = (scope, mode) =>
    guarded((): RenderedText => {
      const frame = newFrame(scope, { channel: "email", provider: "" }, false);
      const words = (mode === "html" ? html : text).run(frame);
      return { ok: true, text: mode === "line" ? oneLine(words) : words };
    });
  return { ok: true, template: { render } };
}

/** Compiles and renders once; for what is said again and again, keep `compileText`'s result. */
export function renderString(source: string, scope: Scope, mode: TextMode): RenderedText | RenderFailure {
  const compiled = compileText(source);
  return compiled.ok ? compiled.template.render(scope, mode) : compiled;
}

import type { RenderedAction } from "./rendered.ts";
import { RenderStop } from "./frame.ts";
import { RENDER_CHARS_MAX } from "./limits.ts";
import type { Frame } from "./frame.ts";

/** What a rendering has said so far. */
export type Out = {
  /** HTML is wanted, and pictures, rules and buttons make sense. */
  readonly mail: boolean;
  /** Links to press stand in the text; where not, the channel shows them beside it. */
  readonly actionsInText: boolean;
  title: string | null;
  html: string;
  text: string;
  readonly blocks: { readonly type: string; readonly text: string }[];
  readonly actions: RenderedAction[];
};

/** Draws an element: appends to `out` what it says in this frame. */
export type Draw = (out: Out, frame: Frame) => void;

export function newOut(channel: string): Out {
  const mail = channel === "email";
  const actionsInText = channel !== "push" && channel !== "inbox";
  return { mail, actionsInText, title: null, html: "", text: "", blocks: [], actions: [] };
}

/** Adds a block; `mailText` is how it stands in the text as a whole, where that differs. */
export function say(out: Out, type: string, text: string, inText = text): void {
  if (text === "" && inText === "") return;
  out.blocks.push({ type, text });
  if (inText !== "") out.text += out.text === "" ? inText : `\n\n${inText}`;
}

/** Markup counts as well, not only the words in it. */
export function checkSize(out: Out): void {
  if (out.html.length + out.text.length > RENDER_CHARS_MAX) {
    throw new RenderStop(
      `the template produces more than ${RENDER_CHARS_MAX} characters; shorten its text or its data`,
    );
  }
}

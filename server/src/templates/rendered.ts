import type { Channel } from "#domain/content.ts";
import type { JsonObject } from "#domain/json.ts";

/** For whom is rendered. `provider` is the key of the chosen provider, e.g. `smtp`. */
export type Target = { readonly channel: Channel; readonly provider: string };

/** A link that wants to be pressed. Push and inbox show it beside the text; elsewhere it stands in the text. */
export type RenderedAction = { readonly label: string; readonly url: string };

/** What is said on one channel. */
export type Rendered = {
  readonly ok: true;
  /** Subject, push title or inbox title; one line, "" when the template has none. */
  readonly title: string;
  /** A whole HTML document for e-mail, "" on every other channel. */
  readonly html: string;
  /** Plain text: the mail's text part, an SMS, a push body, a chat line. */
  readonly text: string;
  /** What was said element by element, for `GET /messages/{id}/output`. */
  readonly blocks: readonly { readonly type: string; readonly text: string }[];
  readonly actions: readonly RenderedAction[];
  /** The channel's `raw` with its variables filled in; null when the channel has elements. */
  readonly raw: JsonObject | null;
};

/** Why nothing can be said; a sentence for the message's history. */
export type RenderFailure = { readonly ok: false; readonly problem: string };

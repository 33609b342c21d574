/** A call to a stranger's HTTP endpoint, made by us on its owner's wish. */
export type WebCall = {
  readonly url: string;
  /** Of the owner's own; ours are added, and cannot be among them. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body: string;
  readonly sign: WebSignature;
  readonly traceparent: string | null;
  /** Lets the URL lead to this machine and its network. */
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
};

/** How the receiver knows that it is we who call. The time in it is that of the call. */
export type WebSignature = {
  /**
   * `standard`: Standard Webhooks, `webhook-id`, `-timestamp` and `-signature`. `courier`: `courier-signature`,
   * `t=<ms>,signature=<hex>` (courier-api.md §7.1), and `webhook-id` beside it.
   */
  readonly scheme: "standard" | "courier";
  /** The same at every try, by which a receiver knows a repetition. */
  readonly id: string;
  /** One or two, `whsec_…`; the call is signed with each, in this order. */
  readonly secrets: readonly string[];
};

export type WebAnswer =
  /** The endpoint answered. `body`: its beginning, for the log. */
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly body: string;
      readonly retryAfterMs: number | null;
      readonly tookMs: number;
    }
  /** It did not answer: not reached, silent, hung up. */
  | { readonly kind: "failed"; readonly reason: string; readonly tookMs: number }
  /** Taken back before anything of it was sent: it says nothing about the endpoint, and is no try. */
  | { readonly kind: "withdrawn"; readonly reason: string; readonly tookMs: number }
  /** Never called: the URL is not one, or leads inside. */
  | { readonly kind: "forbidden"; readonly reason: string };

/** Posts to endpoints outside. Redirects are not followed; an address inside is refused at the moment of connecting. */
export interface WebCaller extends AsyncDisposable {
  /** Aborting `signal` takes back a call that has not begun; one that has goes on. */
  post(call: WebCall, signal: AbortSignal): Promise<WebAnswer>;
  /**
   * A sentence when such calls can never be made, as far as can be seen without looking up a name; null when they are
   * fine.
   */
  flaw(call: Pick<WebCall, "url" | "headers" | "allowPrivate">): string | null;
}

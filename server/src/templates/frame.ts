import type { Json, JsonObject } from "#domain/json.ts";
import { LOOP_TURNS_MAX, RENDER_CHARS_MAX, RENDER_STEPS_MAX } from "./limits.ts";
import type { Target } from "./rendered.ts";
import type { Scope } from "./scope.ts";

/** What one rendering carries along: its scope, where in which loop it stands, and how much it may still do. */
export type Frame = {
  readonly scope: Scope;
  readonly channel: string;
  readonly provider: string;
  /** Lower case, dashes. */
  readonly locale: string | null;
  /** A variable without a value stops the rendering instead of leaving a gap. */
  readonly strict: boolean;
  loop: Loop | null;
  overlay: Overlay | null;
  refs: Map<string, JsonObject> | null;
  stepsLeft: number;
  charsLeft: number;
  turnsLeft: number;
};

/** A turn of `loop` or `{{#each}}`, or the inside of `{{#with}}`. */
export type Loop = {
  readonly item: Json;
  readonly index: number;
  readonly size: number;
  readonly key: string | null;
  /** Handlebars looks for bare names in the item first; Elemental's `loop` does not. */
  readonly bare: boolean;
  readonly outer: Loop | null;
};

/** An element's own `data`, in front of the message's. */
export type Overlay = { readonly data: JsonObject; readonly below: Overlay | null };

/** Reads something off the frame; undefined means missing. */
export type Evaluate = (frame: Frame) => Json | undefined;

/** Ends a rendering from within. Thrown by the functions below, caught only by `guarded`. */
export class RenderStop extends Error {}

export function newFrame(scope: Scope, target: Target, strict: boolean): Frame {
  return {
    scope,
    channel: target.channel,
    provider: target.provider,
    locale: scope.locale === null ? null : normalLocale(scope.locale),
    strict,
    loop: null,
    overlay: null,
    refs: null,
    stepsLeft: RENDER_STEPS_MAX,
    charsLeft: RENDER_CHARS_MAX,
    turnsLeft: LOOP_TURNS_MAX,
  };
}

/** `fr_FR` and `fr-fr` are the same locale. */
export function normalLocale(locale: string): string {
  return locale.toLowerCase().replaceAll("_", "-");
}

export function spendSteps(frame: Frame, steps: number): void {
  frame.stepsLeft -= steps;
  if (frame.stepsLeft < 0) {
    throw new RenderStop(`the template does more than ${RENDER_STEPS_MAX} steps; shorten its loops`);
  }
}

/** Pays for reading or writing that many characters. */
export function spendChars(frame: Frame, chars: number): void {
  frame.charsLeft -= chars;
  if (frame.charsLeft < 0) {
    throw new RenderStop(
      `the template produces more than ${RENDER_CHARS_MAX} characters; shorten its text or its data`,
    );
  }
}

export function spendTurns(frame: Frame, turns: number): void {
  frame.turnsLeft -= turns;
  if (frame.turnsLeft < 0) {
    throw new RenderStop(`the template's loops turn more than ${LOOP_TURNS_MAX} times; send fewer items`);
  }
}

/** Runs `body` and turns a stop into the failure it stands for. Everything else that is thrown is a bug. */
export function guarded<T>(body: () => T): T | { readonly ok: false; readonly problem: string } {
  try {
    return body();
  } catch (error) {
    if (error instanceof RenderStop) return { ok: false, problem: error.message };
    throw error;
  }
}

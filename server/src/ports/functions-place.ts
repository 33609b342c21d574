import type { Json } from "tidings";

/** Where users' functions are, and what they are given: `functions` of `tidings.config.ts`, with paths made absolute. */
export type FunctionsPlace = {
  readonly folder: string;
  /** Names of files are shown as seen from here: where the program was started. */
  readonly root: string;
  readonly settings: Readonly<Record<string, Json>>;
  readonly secrets: Readonly<Record<string, string>>;
};

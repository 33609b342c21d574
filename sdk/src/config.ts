import type { Json } from "./json.ts";

/** `functions` of `tidings.config.ts`. */
export type FunctionsConfig = {
  /** The folder, seen from the configuration's. Default: `functions`. */
  readonly folder?: string;
  /** Given to all handlers as `context.settings`. */
  readonly settings?: Readonly<Record<string, Json>>;
  /** Given to all handlers as `context.secrets`. */
  readonly secrets?: Readonly<Record<string, string>>;
};

/** Settings of the server by their names in docs/settings.md (`port`, `smtpUrl` …), and the functions. */
export type TidingsConfig = { readonly functions?: FunctionsConfig } & {
  readonly [setting: string]: string | number | boolean | FunctionsConfig | undefined;
};

/** The default export of `tidings.config.ts`. */
export function defineConfig(config: TidingsConfig): TidingsConfig {
  return config;
}

/**
 * A variable of the environment.
 * @throws {Error} when it is not set and there is no `otherwise`.
 */
export function env(name: string, otherwise?: string): string {
  const value = globalThis.process.env[name] ?? otherwise;
  if (value === undefined) throw new Error(`The environment variable ${name} is not set; tidings.config.ts needs it.`);
  return value;
}

import type { Now } from "#drivers/sqlite/now.ts";

/**
 * Asks one of the cores, wherever it lives: `ask("commit", units)` is `core.commit(now, units)`, later. Rejects with
 * what the core has thrown.
 */
export type Ask<Core> = <Name extends CallName<Core>>(
  name: Name,
  ...args: CallArgs<Core, Name>
) => Promise<CallAnswer<Core, Name>>;

/** The methods of a core that take the time first. */
type CallName<Core> = {
  [Name in keyof Core]: Core[Name] extends (now: Now, ...args: never[]) => unknown
    ? Parameters<Core[Name]> extends [Now, ...unknown[]]
      ? Name & string
      : never
    : never;
}[keyof Core];
type CallArgs<Core, Name extends keyof Core> = Core[Name] extends (now: Now, ...args: infer Args) => unknown
  ? Args
  : never;
type CallAnswer<Core, Name extends keyof Core> = Core[Name] extends (now: Now, ...args: never[]) => infer Answer
  ? Answer
  : never;

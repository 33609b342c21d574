/** What a setting's text may be, and what it becomes. `says` is for the documentation: unit and bounds. */
export type Kind<T> = {
  readonly says: string;
  /** A problem is half a sentence that follows the setting's name: "must be a whole number from 0 to 65535". */
  readonly parse: (text: string) => { readonly value: T } | { readonly problem: string };
};

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const DURATION = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|h|d|w)$/;

/** Milliseconds of `30d`, `1.5h`, `250ms`; null when it is not a duration. */
export function durationMs(text: string): number | null {
  const [, amount, unit] = DURATION.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return null;
  // The pattern lets only these units in.
  return Math.round(Number(amount) * MS[unit as keyof typeof MS]);
}

export function wholeNumber(min: number, max: number, unit: string): Kind<number> {
  const says = `${unit}, ${grouped(min)} to ${grouped(max)}`;
  return {
    says,
    parse: (text) => {
      // Both ways of grouping that people paste.
      const number = /^\d[\d_,]{0,18}$/.test(text) ? Number(text.replaceAll(/[_,]/g, "")) : Number.NaN;
      return number >= min && number <= max
        ? { value: number }
        : { problem: `must be a whole number from ${grouped(min)} to ${grouped(max)} (${unit})` };
    },
  };
}

export function duration(min: string, max: string): Kind<number> {
  const [minMs, maxMs] = [durationMs(min) ?? 0, durationMs(max) ?? 0];
  return {
    says: `duration, ${min} to ${max}`,
    parse: (text) => {
      const ms = durationMs(text);
      if (ms !== null && ms >= minMs && ms <= maxMs) return { value: ms };
      return { problem: `must be a duration from ${min} to ${max}, such as 90s, 15m, 12h or 30d` };
    },
  };
}

export function oneOf<const Choice extends string>(...choices: readonly Choice[]): Kind<Choice> {
  const says = choices.map((choice) => `\`${choice}\``).join(", ");
  return {
    says,
    parse: (text) => {
      const value = choices.find((choice) => choice === text.toLowerCase());
      return value === undefined ? { problem: `must be one of ${choices.join(", ")}` } : { value };
    },
  };
}

const YES = ["yes", "true", "1", "on"];
const NO = ["no", "false", "0", "off"];

export const yesNo: Kind<boolean> = {
  says: "`yes`, `no`",
  parse: (text) => {
    const word = text.toLowerCase();
    if (YES.includes(word)) return { value: true };
    return NO.includes(word) ? { value: false } : { problem: "must be yes or no" };
  },
};

/** Text that matches `pattern`; `says` names the form for documentation and complaint alike. */
export function words(says: string, pattern: RegExp = /^[^\0-\x1f]{1,1000}$/): Kind<string> {
  return { says, parse: (text) => (pattern.test(text) ? { value: text } : { problem: `must be ${says}` }) };
}

/** A URL of one of these schemes. The complaint never quotes it: it may hold a password. */
export function url(...schemes: readonly string[]): Kind<string> {
  const says = `URL, ${schemes.map((scheme) => `\`${scheme}://…\``).join(" or ")}`;
  return {
    says,
    parse: (text) => {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      if (parsed !== null && schemes.includes(parsed.protocol.slice(0, -1)) && parsed.hostname !== "") {
        return { value: text };
      }
      return { problem: `must be a URL such as ${schemes[0]}://host:port` };
    },
  };
}

/** The same kind with one more question, asked when the first was answered well. */
export function checked<T>(kind: Kind<T>, says: string, problemOf: (value: T) => string | null): Kind<T> {
  return {
    says,
    parse: (text) => {
      const parsed = kind.parse(text);
      if ("problem" in parsed) return parsed;
      const problem = problemOf(parsed.value);
      return problem === null ? parsed : { problem };
    },
  };
}

/** 10000000 as 10,000,000. */
export function grouped(number: number): string {
  return String(number).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

import type { Counter, GaugeSample, Histogram, Labels, Meter } from "#ports/meter.ts";

/**
 * Series of one name: more than this is a label that grows with the data, and would eat the memory. Names that are
 * counted by `CountersByName` stay below, each with a handful of kinds.
 */
export const SERIES_MAX = 10_000;

/** A meter whose numbers can be looked at in Prometheus' text exposition format 0.0.4. */
export type Registry = Meter & {
  /** Reads every gauge, then writes all. A gauge that cannot be read now is left out. */
  readonly text: () => Promise<string>;
};

/** Opens an empty registry. The same name and labels give the same instrument. */
export function openRegistry(): Registry {
  const families = new Map<string, Family>();
  const family = (name: string, help: string, kind: Family["kind"]): Family => {
    let found = families.get(name);
    if (found === undefined) families.set(name, (found = { name, help, kind, series: new Map(), gauges: [] }));
    return found;
  };
  return {
    counter: (name, help, labels) => {
      const { series } = family(name, help, "counter");
      const key = labelText(labels);
      const known = series.get(key);
      if (known instanceof Count) return known;
      const made = new Count(key);
      if (series.size < SERIES_MAX) series.set(key, made);
      return made;
    },
    histogram: (name, help, labels, buckets) => {
      const { series } = family(name, help, "histogram");
      const key = labelText(labels);
      const known = series.get(key);
      if (known instanceof Buckets) return known;
      const made = new Buckets(labels, buckets);
      if (series.size < SERIES_MAX) series.set(key, made);
      return made;
    },
    gauge: (name, help, read) => {
      family(name, help, "gauge").gauges.push(read);
    },
    text: async () => {
      const parts = await Promise.all([...families.values()].map(write));
      return parts.join("");
    },
  };
}

type Family = {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "histogram" | "gauge";
  readonly series: Map<string, Count | Buckets>;
  readonly gauges: (() => readonly GaugeSample[] | Promise<readonly GaugeSample[]>)[];
};

class Count implements Counter {
  readonly #labels: string;
  #value = 0;

  constructor(labels: string) {
    this.#labels = labels;
  }

  add(n: number): void {
    this.#value += n;
  }

  lines(name: string): string {
    return `${name}${this.#labels} ${numberText(this.#value)}\n`;
  }
}

class Buckets implements Histogram {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  /** How many fell into each bucket; the last is for what exceeds all bounds. */
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? Number.POSITIVE_INFINITY)) at += 1;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  lines(name: string): string {
    let total = 0;
    let text = "";
    for (const [at, count] of this.#counts.entries()) {
      total += count;
      const le = numberText(this.#bounds[at] ?? Number.POSITIVE_INFINITY);
      text += `${name}_bucket${labelText({ ...this.#labels, le })} ${total}\n`;
    }
    const labels = labelText(this.#labels);
    return `${text}${name}_sum${labels} ${numberText(this.#sum)}\n${name}_count${labels} ${total}\n`;
  }
}

async function write({ name, help, kind, series, gauges }: Family): Promise<string> {
  let lines = "";
  for (const one of series.values()) lines += one.lines(name);
  for (const read of gauges) {
    try {
      for (const { labels, value } of await read()) lines += `${name}${labelText(labels)} ${numberText(value)}\n`;
    } catch {
      // What cannot be read now (the store is away) is missing from this look; the other numbers still help.
    }
  }
  return lines === "" ? "" : `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n${lines}`;
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels);
  return entries.length === 0 ? "" : `{${entries.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

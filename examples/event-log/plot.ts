/** The iterator age at one moment; `phase`: which of the two configurations ran. */
export type Sample = { readonly atSeconds: number; readonly ageSeconds: number; readonly phase: number };

const [WIDTH, HEIGHT] = [760, 340];
const BOX = { left: 60, right: 740, top: 60, bottom: 290 };
/** Both are readable on a light and on a dark ground. */
const COLOURS = ["#c2410c", "#0f766e"] as const;

/** The iterator age over time as an SVG picture: two curves, with their names. */
export function plot(samples: readonly Sample[], titles: readonly [string, string], subtitle: string): string {
  const lastSeconds = Math.max(1, ...samples.map(({ atSeconds }) => atSeconds));
  const ageSeconds = nice(Math.max(1, ...samples.map((sample) => sample.ageSeconds)));
  const x = (at: number): number => round(BOX.left + (at / lastSeconds) * (BOX.right - BOX.left));
  const y = (age: number): number => round(BOX.bottom - (age / ageSeconds) * (BOX.bottom - BOX.top));
  const lines = titles.map((title, phase) => {
    const own = samples.filter((sample) => sample.phase === phase);
    const points = own.map((sample) => `${x(sample.atSeconds)},${y(sample.ageSeconds)}`).join(" ");
    const middle = own[Math.floor(own.length / 2)]?.atSeconds ?? 0;
    return `  <polyline points="${points}" fill="none" stroke="${COLOURS[phase]}" stroke-width="2.5"/>
  <text x="${x(middle)}" y="52" text-anchor="middle" fill="${COLOURS[phase]}">${title}</text>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const age = part * ageSeconds;
    return `  <line x1="${BOX.left}" x2="${BOX.right}" y1="${y(age)}" y2="${y(age)}" stroke="#8886"/>
  <text x="${BOX.left - 8}" y="${y(age) + 4}" text-anchor="end">${round(age)} s</text>
  <text x="${x(part * lastSeconds)}" y="${BOX.bottom + 20}" text-anchor="middle">${Math.round(part * lastSeconds)} s</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#777" role="img" aria-label="The iterator age over time">
  <text x="${BOX.left}" y="24" font-size="15" font-weight="600">Iterator age of the log</text>
  <text x="${BOX.right}" y="24" text-anchor="end">${subtitle}</text>
${ticks.join("\n")}
${lines.join("\n")}
</svg>
`;
}

/** The next of 1, 2, 4, 8 … times a power of ten. */
function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/**
 * The colours of a mail. On the `page` itself they follow the reader's light or dark mode by class (see `shell.ts`); on a
 * background that the author chose, they are fixed to what can be read there.
 */
export type Palette = "page" | "light" | "dark";

export const COLORS = {
  page: { text: "#1f2933", muted: "#5f6b7a", link: "#1d4ed8", line: "#e3e6ea" },
  light: { text: "#1f2933", muted: "#4b5563", link: "#1d4ed8", line: "#d3d8de" },
  dark: { text: "#f8fafc", muted: "#d5dae1", link: "#bfd4ff", line: "#6b7785" },
} as const satisfies Record<Palette, Record<"text" | "muted" | "link" | "line", string>>;

/** What in a mail's dark mode replaces the colours of `page`. */
export const NIGHT = {
  page: "#101317",
  card: "#1a1e24",
  text: "#e6e9ed",
  muted: "#a3adba",
  link: "#8fb5ff",
  line: "#38404b",
};

export const FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif";

/** A link's attributes, around whatever style its author adds. */
export function linkAttributes(palette: Palette): { readonly open: string; readonly close: string } {
  return {
    open: `${classOf(palette, "lk")} style="color:${COLORS[palette].link};text-decoration:underline;`,
    close: '">',
  };
}

/** ` class="…"` on the page, where dark mode may restyle it; nothing elsewhere. */
export function classOf(palette: Palette, name: "lk" | "mu" | "ln" | "tx" | "mu ln"): string {
  return palette === "page" ? ` class="${name}"` : "";
}

/** Which palette can be read on this CSS colour; colours we cannot judge count as light. */
export function paletteOn(color: string): Palette {
  const light = lightnessOf(color);
  return light !== null && light < 0.5 ? "dark" : "light";
}

/** Perceived lightness from 0 to 1 (ITU-R BT.601 luma) of a hex or rgb() colour; null for any other. */
export function lightnessOf(color: string): number | null {
  const [red, green, blue] = channelsOf(color);
  if (red === undefined || green === undefined || blue === undefined) return null;
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
}

function channelsOf(color: string): number[] {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(color)?.[1];
  if (hex !== undefined) {
    const wide = hex.length < 6 ? [...hex].map((digit) => digit + digit).join("") : hex;
    return [0, 2, 4].map((at) => Number.parseInt(wide.slice(at, at + 2), 16));
  }
  if (color.toLowerCase() === "black") return [0, 0, 0];
  if (color.toLowerCase() === "white") return [255, 255, 255];
  return /^rgba?\(/i.test(color) ? (color.match(/\d+/g) ?? []).slice(0, 3).map(Number) : [];
}

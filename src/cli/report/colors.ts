// Colors of the report. Series follow Okabe and Ito's palette, which color-blind readers can tell apart. The colors are
// darker on white and lighter on black, so that each has a contrast of at least 3 to the page. Each series has a symbol
// of its own.

type Theme = {
  readonly page: string;
  readonly text: string;
  readonly faint: string;
  readonly rule: string;
  readonly panel: string;
  readonly link: string;
  readonly series: readonly string[];
  /** The ends of the heat scale. */
  readonly heat: readonly [low: string, high: string];
};

export const THEMES: Readonly<Record<"light" | "dark", Theme>> = {
  light: {
    page: "#ffffff",
    text: "#1f2328",
    faint: "#57606a",
    rule: "#d0d7de",
    panel: "#f6f8fa",
    link: "#0b5cad",
    series: ["#0072b2", "#c84f00", "#00845f", "#a8457f", "#8f6400", "#3f86c4", "#5b5f66"],
    heat: ["#ffffff", "#08306b"],
  },
  dark: {
    page: "#0f1419",
    text: "#e6edf3",
    faint: "#9ea7b3",
    rule: "#3d444d",
    panel: "#181e25",
    link: "#79b8ff",
    series: ["#56b4e9", "#ff8a3d", "#2ec492", "#e79ac6", "#f0e442", "#8aa0ff", "#c3cad3"],
    heat: ["#0f1419", "#a8d4ff"],
  },
};

export const SERIES = 7;
export const HEAT_LEVELS = 20;

export const seriesColor = (i: number): string => `var(--series-${i % SERIES})`;

const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"] as const;
export type SeriesSymbol = (typeof SYMBOLS)[number];
/** After as many series as there are colors, each color gets the next symbol. */
export const seriesSymbol = (i: number): SeriesSymbol => SYMBOLS[(i + Math.floor(i / SERIES)) % SYMBOLS.length]!;

/**
 * The level of a share from 0 to 1. The power spreads small shares, which a good model has everywhere but on the
 * diagonal. Only 0 has level 0, so that a single wrong example is visible.
 */
export const heatLevel = (share: number): number =>
  share > 0 ? Math.max(1, Math.round(HEAT_LEVELS * Math.min(1, share) ** 0.4)) : 0;

type Rgb = readonly [number, number, number];
const rgbOf = (color: string): Rgb => {
  const n = Number.parseInt(color.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
};

function luminance(color: string): number {
  const [r, g, b] = rgbOf(color).map((byte) => {
    const x = byte / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

/** The contrast of two colors by WCAG 2, from 1 to 21. */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

/** The background of a heat level, and black or white, which is more readable on it. */
export function heatColors({ heat: [low, high] }: Theme, level: number): { readonly fill: string; readonly ink: string } {
  const t = level / HEAT_LEVELS;
  const [from, to] = [rgbOf(low), rgbOf(high)];
  const fill = `#${from
    .map((x, i) =>
      Math.round(x + t * (to[i]! - x))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
  return { fill, ink: contrast(fill, "#000000") >= contrast(fill, "#ffffff") ? "#000000" : "#ffffff" };
}

/** CSS variables of a theme. */
export function variablesOf(theme: Theme): string {
  const { page, text, faint, rule, panel, link, series } = theme;
  const named = Object.entries({ page, text, faint, rule, panel, link }).map(([name, color]) => `--${name}:${color}`);
  const colors = series.map((color, i) => `--series-${i}:${color}`);
  const heat = Array.from({ length: HEAT_LEVELS + 1 }, (_, level) => {
    const { fill, ink } = heatColors(theme, level);
    return `--heat-${level}:${fill};--ink-${level}:${ink}`;
  });
  return [...named, ...colors, ...heat].join(";");
}

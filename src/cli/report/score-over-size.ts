import * as Plot from "@observablehq/plot";
import { type Chart, FONT_SIZE, svgOf } from "./chart.ts";
import { seriesColor, seriesSymbol, THEMES, variablesOf } from "./colors.ts";
import { shorten } from "./html.ts";
import { brief, counted, scoreText } from "./numbers.ts";

/** A trained network in the picture of sizes and scores. */
export type SizePoint = {
  /** What is drawn as one line, such as the kind of the pool. */
  readonly series: string;
  /** The words beside the point; null: none. */
  readonly label: string | null;
  /** How many numbers are trained, at least 1. */
  readonly trainedSize: number;
  readonly score: number;
};

export type SizeChartOptions = {
  /** Such as "test accuracy". */
  readonly scoreName: string;
  /** Whether scores are shares, which are shown in percent. */
  readonly isShare: boolean;
  /** Pixels. */
  readonly width: number;
};

/** More points have no words beside them. */
const MOST_LABELS = 8;

/** The mean score of each size of a series, in the order of sizes. */
function means(points: readonly SizePoint[]): { trainedSize: number; score: number }[] {
  const sizes = [...new Set(points.map(({ trainedSize }) => trainedSize))].sort((a, b) => a - b);
  return sizes.map((trainedSize) => {
    const scores = points.filter((point) => point.trainedSize === trainedSize).map(({ score }) => score);
    return { trainedSize, score: scores.reduce((sum, score) => sum + score, 0) / scores.length };
  });
}

/** A legend above the chart: a symbol and a name for each series, in rows that fit. */
function legendOf(names: readonly string[], width: number): { marks: Plot.Markish[]; height: number } {
  let [x, row] = [0, 0];
  const places = names.map((name) => {
    const text = shorten(name, 24);
    const length = 38 + 6.8 * text.length;
    if (x > 0 && x + length > width) [x, row] = [0, row + 1];
    const place = { text, x, row };
    x += length;
    return place;
  });
  const top = (r: number): number => -(row - r) * 20 - 40;
  const marks = places.flatMap(({ text, x: left, row: r }, i) => [
    Plot.dot([0], {
      ...{ frameAnchor: "top-left", dx: left + 6, dy: top(r), r: 5, symbol: seriesSymbol(i) },
      ...{ fill: seriesColor(i), stroke: seriesColor(i) },
    }),
    Plot.text([text], { frameAnchor: "top-left", dx: left + 19, dy: top(r) - FONT_SIZE / 2, fill: "var(--text)" }),
  ]);
  return { marks, height: 20 * (row + 1) };
}

/** Words beside points: on the side with more space, above or below another label if they would overlap. */
function labelsOf(points: readonly SizePoint[], x: (size: number) => number, y: (score: number) => number, width: number) {
  const taken: { left: number; right: number; y: number }[] = [];
  return points.map((point) => {
    const text = shorten(point.label ?? "", 22);
    const [at, length] = [x(point.trainedSize), 6.8 * text.length + 12];
    const isLeft = at + length > width;
    const [left, right] = isLeft ? [at - length, at] : [at, at + length];
    const offsets = [0, -15, 15, -30, 30, -45, 45];
    const isFree = (dy: number): boolean =>
      taken.every((other) => other.right < left || other.left > right || Math.abs(other.y - (y(point.score) + dy)) >= 14);
    const dy = offsets.find(isFree) ?? 0;
    taken.push({ left, right, y: y(point.score) + dy });
    return { ...point, text, isLeft, dy };
  });
}

/** The domain of scores, with a margin; R² of a useless model is cut at −1. */
function scoresFrom(points: readonly SizePoint[], isShare: boolean): [number, number] {
  const scores = points.map(({ score }) => score);
  const [high, least] = [Math.max(...scores), Math.min(...scores)];
  const low = isShare ? least : Math.max(least, Math.min(-1, high));
  const margin = Math.max((high - low) * 0.12, 0.002);
  return isShare ? [Math.max(0, low - margin), Math.min(1, high + margin)] : [low - margin, high + margin];
}

/** Powers of ten, and their multiples by 2 and 5 if the sizes are close together. */
function ticksOf(low: number, high: number): number[] {
  const factors = high / low > 300 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: 20 }, (_, power) => 10 ** power);
  return powers.flatMap((power) => factors.map((factor) => factor * power)).filter((n) => n >= low && n <= high);
}

/**
 * The chart of scores over the number of trained numbers, on a logarithmic axis. Points without a score are left out.
 */
export function sizeChart(all: readonly SizePoint[], { scoreName, isShare, width }: SizeChartOptions): Chart {
  const points = all.filter(({ score, trainedSize }) => Number.isFinite(score) && trainedSize >= 1);
  const series = [...new Set(points.map((point) => point.series))];
  const sizes = points.map(({ trainedSize }) => trainedSize);
  const [low, high] = points.length === 0 ? [1, 10] : [Math.min(...sizes) / 1.3, Math.max(...sizes) * 1.3];
  const [bottom, top] = points.length === 0 ? [0, 1] : scoresFrom(points, isShare);
  const [marginLeft, marginRight, marginBottom] = [60, 20, 44];
  const legend = legendOf(series, width - marginLeft - marginRight);
  const marginTop = legend.height + 40;
  const height = Math.round(width * 0.55) + marginTop;
  const x = (n: number): number => marginLeft + (Math.log(n / low) / Math.log(high / low)) * (width - marginLeft - marginRight);
  const y = (n: number): number => height - marginBottom - ((n - bottom) / (top - bottom)) * (height - marginBottom - marginTop);
  const labeled = points.filter(({ label }) => label !== null);
  const labels = labeled.length > MOST_LABELS ? [] : labelsOf(labeled, x, y, width);
  const digits = top - bottom > 0.05 ? 0 : top - bottom > 0.005 ? 1 : 2;
  return {
    id: "score-over-size",
    title: `${scoreName} over trained numbers`,
    description: points
      .map(
        (point) => `${point.label ?? point.series}: ${counted(point.trainedSize)} trained, ${scoreText(point.score, isShare)}.`,
      )
      .join(" "),
    options: {
      ...{ width, height, marginLeft, marginRight, marginTop, marginBottom },
      x: {
        ...{ type: "log", domain: [low, high], label: "trained numbers (log scale)", labelAnchor: "center", labelArrow: "none" },
        ...{ ticks: ticksOf(low, high), tickFormat: brief },
      },
      y: {
        ...{ domain: [bottom, top], label: null, grid: true, ticks: 6 },
        ...(isShare ? { tickFormat: (n: number) => `${(100 * n).toFixed(digits)} %` } : {}),
      },
      marks: [
        ...legend.marks,
        Plot.text([scoreName], { frameAnchor: "top-left", dx: 8 - marginLeft, dy: -22, fill: "var(--text)" }),
        ...series.flatMap((name, i) =>
          seriesMarks(
            points.filter((point) => point.series === name),
            i,
          ),
        ),
        ...labels.map((label) =>
          Plot.text([label], {
            ...{ x: "trainedSize", y: "score", text: "text", dy: label.dy, dx: label.isLeft ? -9 : 9, fill: "var(--text)" },
            textAnchor: label.isLeft ? "end" : "start",
          }),
        ),
      ],
    },
  };
}

/** Each network as a symbol; a line through the means of a series. */
function seriesMarks(points: readonly SizePoint[], i: number): Plot.Markish[] {
  const stroke = seriesColor(i);
  return [
    Plot.line(means(points), { x: "trainedSize", y: "score", stroke, strokeWidth: 1.5, clip: true }),
    Plot.dot(points, {
      x: "trainedSize",
      y: "score",
      r: 5,
      symbol: seriesSymbol(i),
      fill: stroke,
      stroke: "var(--page)",
      clip: true,
    }),
  ];
}

/**
 * Returns the picture "score over trained numbers" as an SVG file of its own, readable on light and on dark pages.
 * `sweep` writes it.
 */
export function scoreOverSize(points: readonly SizePoint[], options: SizeChartOptions): string {
  const style = [
    `svg{${variablesOf(THEMES.light)};color:var(--text);background:var(--page)}`,
    `@media (prefers-color-scheme:dark){svg{${variablesOf(THEMES.dark)}}}`,
    "text{white-space:pre}",
  ].join("");
  const svg = svgOf(sizeChart(points, options));
  return `${svg.replace(/^<svg /, `<svg xmlns="http://www.w3.org/2000/svg" `).replace(/>/, `><style>${style}</style>`)}\n`;
}

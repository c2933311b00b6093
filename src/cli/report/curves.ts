import * as Plot from "@observablehq/plot";
import { type Chart, FONT_SIZE, figure, spread } from "./chart.ts";
import { seriesColor, seriesSymbol } from "./colors.ts";
import { type Content, html, type Markup, shorten } from "./html.ts";
import { scoreText, shown } from "./numbers.ts";
import { heldOut, type ReportedRun } from "./runs.ts";

type Which = "loss" | "score";
type Point = { readonly epoch: number; readonly value: number };
type Curve = { readonly run: ReportedRun; readonly split: "train" | "validation" | "test"; readonly points: readonly Point[] };

/** More runs have a legend, but no labels beside their curves. */
const MOST_LABELS = 6;
/** Curves with more epochs have no symbol at each epoch. */
const MOST_SYMBOLS = 40;

function curvesOf(runs: readonly ReportedRun[], which: Which): Curve[] {
  const curves = runs.flatMap((run): Curve[] => {
    const held = heldOut(run);
    const splits = held === null ? (["train"] as const) : (["train", held] as const);
    return splits.map((split) => ({
      run,
      split,
      points: withGaps(run.epochs.map((line) => ({ epoch: line.epoch, value: line[split]?.[which] ?? Number.NaN }))),
    }));
  });
  return curves.filter(({ points }) => points.some(({ value }) => Number.isFinite(value)));
}

/** Adds a point without a value in place of missing epochs, so that no line crosses them. */
const withGaps = (points: readonly Point[]): Point[] =>
  points.flatMap((point, i) => {
    const before = points[i - 1]?.epoch ?? point.epoch - 1;
    return before + 1 < point.epoch ? [{ epoch: before + 1, value: Number.NaN }, point] : [point];
  });

/** The scale of the values: logarithmic if a loss spans several powers of ten; R² of a useless model is cut at −1. */
function scaleOf(curves: readonly Curve[], which: Which, isClasses: boolean): { type: "log" | "linear"; domain: number[] } {
  const values = curves.flatMap(({ points }) => points.map(({ value }) => value)).filter(Number.isFinite);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (which === "score") low = Math.max(low, Math.min(-1, high));
  const type = which === "loss" && low > 0 && high / low > 50 ? "log" : "linear";
  const margin = low === high ? Math.max(Math.abs(low) * 0.1, 0.01) : (high - low) * 0.04;
  if (type === "log") return { type, domain: [low / 1.1, high * 1.1] };
  [low, high] = [low - margin, high + margin];
  if (which === "loss" && values.every((value) => value >= 0)) low = Math.max(0, low);
  if (which === "score" && isClasses) [low, high] = [Math.max(0, low), Math.min(1, high)];
  return { type, domain: [low, high] };
}

/** Draws a curve: training dashed, held-out data solid, with the symbol of the run. */
function marksOf({ run, split, points }: Curve, [low = 0]: readonly number[]): Plot.Markish[] {
  const stroke = seriesColor(run.index);
  const dashed = split === "train";
  const inside = points.filter(({ value }) => value >= low);
  const symbols = points.length <= MOST_SYMBOLS ? inside : inside.slice(-1);
  const clip = points.some(({ value }) => value < low);
  const line = dashed ? { strokeDasharray: "5 4", strokeWidth: 1.5 } : { strokeWidth: 2 };
  const symbol = { r: 3.5, symbol: seriesSymbol(run.index), fill: dashed ? "var(--page)" : stroke };
  return [
    Plot.lineY(points, { x: "epoch", y: "value", stroke, clip, ...line }),
    Plot.dot(symbols, { x: "epoch", y: "value", stroke, ...symbol }),
  ];
}

/** The words beside the ends of the curves, moved apart. */
function labelsOf(curves: readonly Curve[], several: boolean, top: number, bottom: number, y: (value: number) => number) {
  const labeled = several ? curves.filter(({ run, split }) => split !== "train" || heldOut(run) === null) : curves;
  const ends = labeled.map(({ run, split, points }) => {
    const last = points.findLast(({ value }) => Number.isFinite(value))!;
    return { text: shorten(several ? run.name : split === "train" ? "training" : split, 13), at: y(last.value) };
  });
  const places = spread(
    ends.map(({ at }) => at),
    FONT_SIZE + 2,
    top,
    bottom,
  );
  return ends.map(({ text }, i) => ({ text, at: places[i]! }));
}

function chartOf(runs: readonly ReportedRun[], which: Which, width: number): Chart {
  const curves = curvesOf(runs, which);
  const several = runs.length > 1;
  const { isClasses, scoreName } = runs[0]!;
  const name = which === "loss" ? "loss" : scoreName;
  const scale = scaleOf(curves, which, isClasses);
  const [height, marginTop, marginBottom] = [Math.round(width * 0.58), 30, 40];
  const withLabels = runs.length <= MOST_LABELS;
  const epochs = curves.flatMap(({ points }) => points.map(({ epoch }) => epoch));
  const last = Math.max(...epochs);
  const first = Math.min(...epochs);
  const y = positionOf(scale, marginTop, height - marginBottom);
  const labels = withLabels ? labelsOf(curves, several, marginTop, height - marginBottom, y) : [];
  const asPercent = which === "score" && isClasses;
  return {
    id: `${which}-curves`,
    title: `${name} by epoch`,
    description: curves.map((curve) => describe(curve, which, several)).join(" "),
    options: {
      ...{ width, height, marginTop, marginBottom, marginLeft: 52 },
      marginRight: withLabels ? 108 : 16,
      x: {
        label: "epoch",
        domain: first === last ? [first - 1, first + 1] : [first, last],
        ticks: epochTicks(first, last),
        tickFormat: (n: number) => String(n),
        labelAnchor: "center",
        labelArrow: "none",
      },
      y: {
        ...{ label: `${name}${scale.type === "log" ? " (log scale)" : ""}`, ...scale, grid: true, ticks: 6, labelArrow: "none" },
        ...(asPercent ? { percent: false, tickFormat: tickPercent(scale.domain) } : {}),
        ...(scale.type === "log" ? { tickFormat: "~g" } : {}),
      },
      marks: [
        ...curves.flatMap((curve) => marksOf(curve, scale.domain)),
        Plot.text(labels, {
          ...{ text: "text", frameAnchor: "top-right", textAnchor: "start", dx: 8, lineAnchor: "middle", fill: "var(--text)" },
          y: ({ at }: { at: number }) => valueAt(scale, marginTop, height - marginBottom, at),
        }),
      ],
    },
  };
}

/** At most 9 whole numbers: multiples of 1, 2, 5, 10 and so on. */
function epochTicks(first: number, last: number): number[] {
  const steps = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((factor) => factor * 10 ** power)).flat();
  const step = steps.find((n) => (last - first) / n <= 8) ?? 10 ** 16;
  const from = Math.ceil(first / step);
  return Array.from({ length: Math.floor(last / step) - from + 1 }, (_, i) => (from + i) * step);
}

type Scale = ReturnType<typeof scaleOf>;
const toward = ({ type }: Scale, value: number): number => (type === "log" ? Math.log(value) : value);

const positionOf =
  (scale: Scale, top: number, bottom: number) =>
  (value: number): number => {
    const [low, high] = scale.domain.map((end) => toward(scale, end));
    return bottom - ((toward(scale, value) - low!) / (high! - low!)) * (bottom - top);
  };

function valueAt(scale: Scale, top: number, bottom: number, y: number): number {
  const [low, high] = scale.domain.map((end) => toward(scale, end));
  const value = low! + ((bottom - y) / (bottom - top)) * (high! - low!);
  return scale.type === "log" ? Math.exp(value) : value;
}

/** Percent with as many digits as the range needs. */
function tickPercent([low, high]: readonly number[]): (value: number) => string {
  const range = 100 * (high! - low!);
  const digits = range > 5 ? 0 : range > 0.5 ? 1 : 2;
  return (value) => `${(100 * value).toFixed(digits)} %`;
}

function describe({ run, split, points }: Curve, which: Which, several: boolean): string {
  const valid = points.filter(({ value }) => Number.isFinite(value));
  const [first, last] = [valid[0]!, valid.at(-1)!];
  const value = (n: number): string => (which === "loss" ? shown(n) : scoreText(n, run.isClasses));
  const data = split === "train" ? "training" : split;
  const who = several ? `${run.name}, ${data}` : data;
  return `${who}: ${value(first.value)} after epoch ${first.epoch}, ${value(last.value)} after epoch ${last.epoch}.`;
}

/** The legend: the symbol and the color of each run. */
function legend(runs: readonly ReportedRun[]): Content {
  return html`<ul class="legend" aria-label="Runs">${runs.map((run) => html`<li>${swatch(run)}<span>${shorten(run.name, 60)}</span></li>`)}</ul>`;
}

const PATHS: Readonly<Record<ReturnType<typeof seriesSymbol>, string>> = {
  circle: "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z",
  square: "M-4.5-4.5h9v9h-9Z",
  triangle: "M0-5.5L5.5 4H-5.5Z",
  diamond: "M0-6L4 0L0 6L-4 0Z",
  star: "M0-6.5L1.5-2H6.2L2.4.8L3.8 5.3L0 2.5L-3.8 5.3L-2.4.8L-6.2-2H-1.5Z",
  cross: "M-5.5-2h3.5v-3.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5Z",
  wye: "M1.6 .9V5.2H-1.6V.9L-5.3-1.2L-3.7-4L0-1.9L3.7-4L5.3-1.2Z",
};

/** The symbol of a run, as its curves show it. */
export function swatch({ index }: Pick<ReportedRun, "index">): Markup {
  return html`<svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"><path d="${PATHS[seriesSymbol(index)]}" fill="${seriesColor(index)}"/></svg>`;
}

/** Loss and score over the epochs. */
export function curves(all: readonly ReportedRun[]): Content {
  const runs = all.filter(({ epochs }) => epochs.length > 0);
  if (runs.length === 0) return html`<p>No epoch is complete, so there are no curves.</p>`;
  const held = new Set(runs.map(heldOut).filter((split) => split !== null));
  const lines = held.size === 0 ? "Dashed: training data." : `Solid: ${[...held].join(" or ")} data. Dashed: training data.`;
  const torn = runs.filter((run) => run.torn).map(({ name }) => name);
  const charts = (["loss", "score"] as const).map((which) => {
    const name = which === "loss" ? "loss" : runs[0]!.scoreName;
    if (curvesOf(runs, which).length === 0) return html`<p>The ${name} is not a number in any epoch.</p>`;
    return figure((width) => chartOf(runs, which, width), `${name[0]!.toUpperCase()}${name.slice(1)} after each epoch. ${lines}`);
  });
  return html`${all.length > 1 ? legend(runs) : null}<div class="pair">${charts}</div>
${gaps(runs)}${torn.map((name) => html`<p>The last line of metrics.jsonl of <bdi>${name}</bdi> is incomplete and is left out.</p>`)}`;
}

/** Says which epochs have no line or no number. */
function gaps(runs: readonly ReportedRun[]): Content {
  return runs.map((run) => {
    const missing = run.epochs.flatMap(({ epoch }, i) => {
      const before = run.epochs[i - 1]?.epoch ?? 0;
      if (epoch === before + 1) return [];
      return epoch === before + 2 ? [String(before + 1)] : [`${before + 1} to ${epoch - 1}`];
    });
    const broken = run.epochs.filter((line) => !Number.isFinite(line.train.loss)).map(({ epoch }) => String(epoch));
    const where = (epochs: readonly string[]): string => shorten(epochs.join(", "), 100);
    return [
      missing.length > 0 ? html`<p><bdi>${run.name}</bdi> has no line for these epochs: ${where(missing)}.</p>` : null,
      broken.length > 0
        ? html`<p>The loss of <bdi>${run.name}</bdi> is not a number in these epochs: ${where(broken)}.</p>`
        : null,
    ];
  });
}

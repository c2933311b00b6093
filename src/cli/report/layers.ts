import * as Plot from "@observablehq/plot";
import { type Chart, FONT_SIZE, figure, spread } from "./chart.ts";
import { SERIES, seriesColor } from "./colors.ts";
import { type Content, html, scrolling, shorten } from "./html.ts";
import { brief, counted, share } from "./numbers.ts";
import type { ReportedRun } from "./runs.ts";

type Layer = ReportedRun["config"]["sizes"]["layers"][number];
type Bar = { readonly name: string; readonly size: number; readonly trained: number; readonly storage: string };

/** Smaller variables of a larger model become one bar. */
const MOST_BARS = 20;

const total = (layers: readonly { readonly size: number }[]): number => layers.reduce((sum, { size }) => sum + size, 0);

/** The numbers that are trained in place of a variable: its own, or its part of the pool's numbers. */
function barsOf({ config }: ReportedRun): Bar[] {
  const { layers, trainedSize } = config.sizes;
  const pooled = layers.filter(({ storage }) => storage === "pool");
  const inPool = Math.max(0, trainedSize - total(layers.filter(({ storage }) => storage === "dense")));
  const trained = ({ storage, size }: Layer): number => (storage === "dense" ? size : (inPool * size) / total(pooled));
  return layers.map((layer) => ({ name: layer.name, size: layer.size, storage: layer.storage, trained: trained(layer) }));
}

/** The largest variables in the order of the model, and all others together. */
function largest(bars: readonly Bar[]): Bar[] {
  if (bars.length <= MOST_BARS) return [...bars];
  const kept = new Set([...bars].sort((a, b) => b.size - a.size).slice(0, MOST_BARS - 1));
  const rest = bars.filter((bar) => !kept.has(bar));
  const trained = rest.reduce((sum, bar) => sum + bar.trained, 0);
  return [
    ...bars.filter((bar) => kept.has(bar)),
    { name: `${rest.length} smaller variables`, size: total(rest), trained, storage: "mixed" },
  ];
}

function chartOf(run: ReportedRun, width: number): Chart {
  const bars = largest(barsOf(run)).map((bar, row) => ({ ...bar, row }));
  const letters = width < 500 ? 15 : 26;
  const most = Math.max(1, ...bars.map(({ size }) => size));
  const y = { y1: ({ row }: { row: number }) => row + 0.12, y2: ({ row }: { row: number }) => row + 0.88 };
  const middle = ({ row }: { row: number }): number => row + 0.5;
  return {
    id: `layers-${run.index}`,
    title: "Weights of each variable, and the numbers that are trained instead",
    description: bars
      .map(({ name, size, trained }) => `${name}: ${counted(size)} weights, ${counted(trained)} trained.`)
      .join(" "),
    options: {
      ...{ width, height: bars.length * 24 + 58, marginTop: 40, marginBottom: 18 },
      ...{ marginLeft: letters * 7 + 6, marginRight: 112 },
      x: {
        domain: [0, most],
        axis: "top",
        label: "weights",
        labelAnchor: "center",
        ticks: width < 500 ? 3 : 5,
        tickFormat: brief,
        labelArrow: "none",
      },
      y: { domain: [0, bars.length], reverse: true, axis: null },
      marks: [
        Plot.rect(bars, { ...y, x1: 0, x2: "size", fill: "var(--panel)", stroke: "var(--faint)" }),
        Plot.rect(bars, { ...y, x1: 0, x2: "trained", fill: seriesColor(0) }),
        Plot.text(bars, {
          ...{ x: 0, y: middle, text: ({ name }: Bar) => shorten(name, letters), textAnchor: "end", dx: -6, fill: "var(--text)" },
        }),
        Plot.text(bars, {
          ...{ x: "size", y: middle, text: sizeText, textAnchor: "start", dx: 6, fill: "var(--text)" },
        }),
      ],
    },
  };
}

const sizeText = ({ size, trained, storage }: Bar): string =>
  storage === "dense" || Math.round(trained) === size ? brief(size) : `${brief(size)} → ${brief(Math.round(trained))}`;

/** Bars of the variables and a table of all of them. */
export function compression(run: ReportedRun): Content {
  const { sizes, pool } = run.config;
  if (sizes.layers.length === 0) return html`<p>The configuration lists no variables.</p>`;
  const bars = barsOf(run);
  const rows = sizes.layers.map((layer, i) => {
    const place = layer.offset === null ? "–" : `${counted(layer.offset)} to ${counted(layer.offset + layer.size - 1)}`;
    return html`<tr><th scope="row">${shorten(layer.name, 120)}</th><td class="number">${layer.shape.join(" × ")}</td><td>${layer.storage}</td><td class="number">${counted(layer.size)}</td><td class="number">${counted(bars[i]!.trained)}</td><td class="number">${place}</td></tr>`;
  });
  const table = scrolling(
    "Variables of the model",
    html`<table><caption>Variables of the model, their storage, and their positions in the pool.</caption><thead><tr><th scope="col">variable</th><th scope="col" class="number">shape</th><th scope="col">storage</th><th scope="col" class="number">weights</th><th scope="col" class="number">trained</th><th scope="col" class="number">positions</th></tr></thead><tbody>${rows}</tbody></table>`,
  );
  const chart =
    pool === null
      ? html`<p>All ${counted(sizes.denseSize)} weights are trained directly.</p>`
      : figure(
          (width) => chartOf(run, width),
          `Outlined: weights of a variable. Filled: its part of the ${counted(sizes.trainedSize)} trained numbers, ${share(sizes.trainedSize, sizes.denseSize)} of ${counted(sizes.denseSize)} weights. Variables share the numbers of a pool, so a part is counted by size.`,
        );
  return html`${chart}<details><summary>All variables</summary>${table}</details>`;
}

type Region = { readonly layer: Layer; readonly color: number; readonly number: number };

/** The rectangles of positions `begin` to `end` in a matrix that is read row by row: at most three. */
export function rectangles(begin: number, end: number, columns: number): { x1: number; x2: number; y1: number; y2: number }[] {
  const [first, last] = [Math.floor(begin / columns), Math.floor((end - 1) / columns)];
  const [from, to] = [begin - first * columns, end - last * columns];
  if (end <= begin) return [];
  if (first === last) return [{ x1: from, x2: to, y1: first, y2: first + 1 }];
  const [top, bottom] = [from === 0 ? first : first + 1, to === columns ? last + 1 : last];
  return [
    ...(from > 0 ? [{ x1: from, x2: columns, y1: first, y2: first + 1 }] : []),
    ...(bottom > top ? [{ x1: 0, x2: columns, y1: top, y2: bottom }] : []),
    ...(to < columns ? [{ x1: 0, x2: to, y1: last, y2: last + 1 }] : []),
  ];
}

/** Where a variable ends: a line between its last element and the next variable. */
const borderOf =
  (columns: number) =>
  ({ layer, number }: Region): { x: number; y: number; number: number }[] => {
    const end = layer.offset! + layer.size;
    const [row, column] = [Math.floor(end / columns), end % columns];
    return [
      { x: 0, y: row + 1, number },
      { x: column, y: row + 1, number },
      { x: column, y: row, number },
      { x: columns, y: row, number },
    ];
  };

/** Pixels between the matrix and the names. */
const LEAD = 18;
/** More labels would not fit beside the matrix; the table has all of them. */
const MOST_NAMES = 16;

function matrixChart(run: ReportedRun, regions: readonly Region[], width: number): Chart {
  const { rows, columns, rank } = run.config.sizes.matrix!;
  const [marginLeft, marginRight, marginTop, marginBottom] = [48, width < 500 ? 116 : 180, 24, 28];
  const inner = width - marginLeft - marginRight;
  const lead = (columns * LEAD) / (inner - LEAD); // the lines from the matrix to the names, in columns
  const height = Math.round(Math.min(inner * 1.5, Math.max(inner * 0.5, (inner * rows) / columns)));
  const size = height / rows; // pixels of a row
  const parts = regions.flatMap((region) =>
    rectangles(region.layer.offset!, region.layer.offset! + region.layer.size, columns).map((part) => ({ ...part, ...region })),
  );
  const named = [...regions].sort((a, b) => b.layer.size - a.layer.size).slice(0, MOST_NAMES);
  const middles = named.map(({ layer }) => (layer.offset! + layer.size / 2) / columns);
  const places = spread(middles, (FONT_SIZE + 3) / size, 0.5, rows - 0.5);
  const labels = named.map((region, i) => ({ ...region, from: middles[i]!, at: places[i]! }));
  const used = regions.reduce((end, { layer }) => Math.max(end, layer.offset! + layer.size), 0);
  const letters = width < 500 ? 14 : 24;
  return {
    id: `matrix-${run.index}`,
    title: `The matrix of virtual weights, ${rows} × ${columns}, of rank ${rank}`,
    description: regions.map(({ layer }) => `${layer.name}: ${rowsText(layer, columns)}.`).join(" "),
    options: {
      ...{ width, height: height + marginTop + marginBottom, marginLeft, marginRight, marginTop, marginBottom },
      x: { domain: [0, columns + lead], axis: null },
      y: { domain: [0, rows], reverse: true, label: "row", ticks: 5, tickFormat: brief, labelArrow: "none" },
      marks: [
        Plot.rect(rectangles(used, rows * columns, columns), {
          ...{ x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "var(--panel)" },
        }),
        Plot.rect(parts, {
          ...{ x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: ({ color }: Region) => seriesColor(color), clip: true },
        }),
        Plot.rect([0], { x1: 0, x2: columns, y1: 0, y2: rows, stroke: "var(--faint)", fill: "none" }),
        Plot.line(regions.flatMap(borderOf(columns)), {
          x: "x",
          y: "y",
          z: "number",
          stroke: "var(--page)",
          strokeWidth: 0.5,
          clip: true,
        }),
        Plot.link(labels, { x1: columns, x2: columns + lead, y1: "from", y2: "at", stroke: "var(--faint)" }),
        Plot.text(labels, {
          ...{ x: columns + lead, y: "at", text: ({ layer }: Region) => shorten(layer.name, letters) },
          ...{ textAnchor: "start", dx: 4, fill: "var(--text)" },
        }),
      ],
    },
  };
}

function rowsText({ offset, size }: Layer, columns: number): string {
  const [first, last] = [Math.floor(offset! / columns), Math.floor((offset! + Math.max(1, size) - 1) / columns)];
  return first === last ? `row ${first}` : `rows ${first} to ${last}`;
}

/** The product of a product pool, with the rows that each variable takes. Null without such a pool. */
export function matrix(run: ReportedRun): Content {
  const { layers, matrix: shape } = run.config.sizes;
  if (shape === null) return null;
  const regions = layers
    .filter(({ offset, size }) => offset !== null && size > 0)
    .map((layer, i) => ({ layer, color: i % SERIES, number: i + 1 }));
  if (regions.length === 0) return null;
  const { rows, columns, rank } = shape;
  const left = rows * columns - regions.reduce((sum, { layer }) => sum + layer.size, 0);
  return figure(
    (width) => matrixChart(run, regions, width),
    `The pool multiplies two factors of ${counted(rows)} × ${counted(rank)} and ${counted(rank)} × ${counted(columns)} numbers. The variables take the elements of the product row by row. ${counted(Math.max(0, left))} elements are not used.`,
  );
}

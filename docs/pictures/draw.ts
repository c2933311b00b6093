// `npm run docs:pictures` draws the pictures beside this file. A test draws them again and compares.
// - smh.svg: weights are slices of a product
// - collisions.svg: a hash pool repeats numbers, a product does not
// - slices.svg: rows of the product are cut into the kernels of layers
// - modules.svg: the modules of src by level
// - step.svg: a training step of a compressed network
// - accuracy.svg: accuracy over size, from bench/results/accuracy.json
// - evidence.svg: the same for ResNet-20 on Fashion-MNIST, from bench/results/evidence.jsonl
// - speed.svg: a training step of the toy network in other libraries, from the table of docs/benchmarks.md
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { evidenceLines, finished, meanOf } from "../../bench/evidence/report.ts";
import type { Row } from "../../src/cli/sweep/table.ts";
import { collisions, method, slices } from "./method.ts";
import { arrow, BLUE, box, GRAY, GREEN, line, ORANGE, PURPLE, picture, RED, round, tag, text } from "./svg.ts";

const root = new URL("../../", import.meta.url);

/** The modules of src: a row for each level, the highest first. test/architecture.test.ts has the same list. */
function modules(): string {
  const rows: readonly (readonly (readonly [name: string, content: string, fill: string])[])[] = [
    [["index.ts", "the public names", GRAY]],
    [
      ["cli", "npm run mnist", GRAY],
      ["testing", "checkGradient, arbitraries", GRAY],
    ],
    [["distributed", "several processes and machines, by Redis and BullMQ", GREEN]],
    [
      ["train", "train, evaluate, predict, metrics", GREEN],
      ["onnx", "models as ONNX files", GREEN],
    ],
    [
      ["data", "datasets, batches, MNIST", GREEN],
      ["io", "safetensors, checkpoints", GREEN],
    ],
    [["models", "ResNet, MobileNet, EfficientNet: tables of blocks", GREEN]],
    [
      ["nn", "layers: variables and ops", GREEN],
      ["smh", "pools, modifiers, compress", ORANGE],
    ],
    [
      ["variables", "names, storage, initializers", GREEN],
      ["optim", "sgd, adam, schedules, groups", GREEN],
    ],
    [["ops", "one function per op: shapes, kernel, gradient", BLUE]],
    [["tensor", "tensors, autograd, step, random numbers", BLUE]],
    [["backends", "plain/, wasm/, and the kernel table", PURPLE]],
    [["kernels", "the specification: plain loops, signatures, memory, errors", PURPLE]],
  ];
  const [x0, x1, top, height, gap] = [66, 754, 16, 32, 8];
  const boxes = rows.flatMap((row, i) => {
    const [y, width] = [top + i * (height + gap), (x1 - x0 - gap * (row.length - 1)) / row.length];
    return [
      text(x0 - 14, y + 21, String(rows.length - i), { class: "end faint" }),
      ...row.flatMap(([name, content, fill], j) => {
        const x = x0 + j * (width + gap);
        return [
          box(x, y, width, height, fill, { rx: 5, "fill-opacity": 0.2, stroke: fill }),
          text(x + 12, y + 21, name, { class: "strong" }),
          text(x + 100, y + 21, content, { class: "faint" }),
        ];
      }),
    ];
  });
  const end = top + rows.length * (height + gap) - gap;
  return picture(770, end + 16, "The modules of src in twelve levels: a module imports from itself and from lower levels", [
    ...boxes,
    arrow(28, top + 8, 28, end - 8, GRAY),
    text(20, (top + end) / 2, "may import", {
      class: "middle faint",
      transform: `rotate(-90 20 ${round((top + end) / 2)})`,
    }),
  ]);
}

/**
 * A training step of two dense layers, compressed: tensors in boxes, ops in rounded boxes, gradients back along the
 * same ways.
 */
function trainingStep(): string {
  const height = 30;
  const node = (x: number, y: number, width: number, name: string, fill: string, rx: number): string =>
    box(x - width / 2, y - height / 2, width, height, fill, { rx, "fill-opacity": fill === GRAY ? 0.15 : 0.25, stroke: fill }) +
    text(x, y + 5, name, { class: "middle" });
  const tensor = (x: number, y: number, width: number, name: string): string => node(x, y, width, name, GRAY, 3);
  const op = (x: number, y: number, width: number, name: string): string => node(x, y, width, name, BLUE, height / 2);
  const shift = 6; // of an arrow from the middle between two nodes
  const across = (from: number, to: number, y: number, back = true): string =>
    arrow(from, y - (back ? shift : 0), to, y - (back ? shift : 0), BLUE) +
    (back ? arrow(to, y + shift, from, y + shift, ORANGE) : "");
  const up = (x: number, from: number, to: number): string =>
    arrow(x - shift, from, x - shift, to, BLUE) + arrow(x + shift, to, x + shift, from, ORANGE);
  const [y1, y2, y3, y4, y5, y6] = [74, 146, 206, 266, 326, 412];
  const [hidden, out, middle] = [144, 330, 237];
  const half = height / 2 + 3;
  const legend = (y: number, color: string, name: string, ...lines: string[]): string[] => [
    arrow(452, y - 4, 484, y - 4, color),
    text(494, y, name, { class: "strong" }),
    ...lines.map((content, i) => text(494, y + 18 * (i + 1), content)),
  ];
  return picture(
    770,
    450,
    "A training step: forward from the batch to the loss, backward to the factors of the pool, then the update",
    [
      box(10, 24, 750, 332, "none", { rx: 8, class: "rule", "stroke-dasharray": "5 4" }),
      text(22, 44, "step(fn): memory of the arena, which the next step reuses", { class: "faint" }),
      text(748, 376, "lasting memory: parameters, their gradients, optimizer state", { class: "end faint" }),
      tensor(48, y1, 52, "batch"),
      across(77, 105, y1, false),
      op(hidden, y1, 72, "matmul"),
      across(183, 213, y1),
      tensor(middle, y1, 44, "h"),
      across(262, 290, y1),
      op(out, y1, 74, "matmul"),
      across(370, 406, y1),
      tensor(438, y1, 58, "logits"),
      across(470, 506, y1),
      op(564, y1, 110, "crossEntropy"),
      across(622, 660, y1),
      tensor(692, y1, 58, "loss"),
      up(hidden, y2 - half, y1 + half),
      up(out, y2 - half, y1 + half),
      tensor(hidden, y2, 110, "hidden/kernel"),
      tensor(out, y2, 110, "out/kernel"),
      up(hidden, y3 - half, y2 + half),
      up(out, y3 - half, y2 + half),
      op(hidden, y3, 66, "slice"),
      op(out, y3, 66, "slice"),
      up(hidden, y4 - half, y3 + half),
      up(out, y4 - half, y3 + half),
      tensor(middle, y4, 300, "product: all weights, once per step"),
      up(middle, y5 - half, y4 + half),
      op(middle, y5, 300, "matmul"),
      up(hidden, y6 - half, y5 + half),
      up(out, y6 - half, y5 + half),
      tensor(hidden, y6, 96, "left [d, r]"),
      tensor(out, y6, 96, "right [r, d]"),
      arrow(500, y6, 384, y6, GREEN),
      node(582, y6, 160, "optimizer.step()", GREEN, height / 2),
      ...legend(150, BLUE, "forward", "An op checks shapes, calls a kernel", "and records a pullback."),
      ...legend(222, ORANGE, "backward", "Pullbacks run newest first and fill", "the gradient buffers of their inputs."),
      ...legend(294, GREEN, "update", "The optimizer changes parameters in", "place and clears their gradients."),
    ],
  );
}

/** Accuracy in % over the seeds, at a count of trained numbers. */
type Point = { readonly size: number; readonly low: number; readonly mean: number; readonly high: number };
type Curve = { readonly label: string; readonly color: string; readonly points: readonly Point[] };
type Chart = {
  readonly title: string;
  readonly caption: string;
  readonly dense: Point | null;
  readonly curves: readonly Curve[];
  /** Ticks of the axis of sizes, which is logarithmic. */
  readonly sizes: readonly number[];
  /** Ticks of the axis of accuracies. */
  readonly percents: readonly number[];
};

/** Test accuracy over the count of trained numbers, mean and range of the seeds. */
function chart({ title, caption, dense, curves, sizes, percents }: Chart): string {
  const [width, height, x0, x1, y0, y1] = [770, 340, 60, 740, 285, 30];
  const [least, most] = [Math.log(0.8 * sizes[0]!), Math.log(1.67 * sizes.at(-1)!)];
  const [low, high] = [percents[0]! - 0.5, percents.at(-1)!];
  const x = (size: number): number => x0 + ((Math.log(size) - least) / (most - least)) * (x1 - x0);
  const y = (percent: number): number => y0 + ((percent - low) / (high - low)) * (y1 - y0);
  const curve = ({ color, points }: Curve): string[] => [
    tag("path", {
      d: points.map(({ size, mean }, i) => `${i === 0 ? "M" : "L"}${round(x(size))} ${round(y(mean))}`).join(""),
      ...{ fill: "none", stroke: color, "stroke-width": 2 },
    }),
    ...points.map((at) =>
      line(x(at.size), y(at.low), x(at.size), y(at.high), { stroke: color, "stroke-width": 6, "stroke-opacity": 0.3 }),
    ),
    ...points.map(({ size, mean }) => tag("circle", { cx: x(size), cy: y(mean), r: 4, fill: color })),
  ];
  const drawn = curves.filter(({ points }) => points.length > 0); // the legend leaves out curves without runs
  return picture(width, height, title, [
    ...percents.flatMap((percent) => [
      line(x0, y(percent), x1, y(percent), { class: "rule", "stroke-opacity": 0.35 }),
      text(x0 - 8, y(percent) + 4, `${percent} %`, { class: "end faint" }),
    ]),
    ...sizes.flatMap((size) => [
      line(x(size), y0, x(size), y0 + 5, { class: "rule" }),
      text(x(size), y0 + 21, size.toLocaleString("en"), { class: "middle faint" }),
    ]),
    line(x0, y0, x1, y0, { class: "rule" }),
    ...(dense === null
      ? []
      : [
          line(x0, y(dense.mean), x1, y(dense.mean), { stroke: GRAY, "stroke-width": 1.5, "stroke-dasharray": "5 4" }),
          tag("circle", { cx: x(dense.size), cy: y(dense.mean), r: 5, fill: GRAY }),
          text(x(dense.size), y(dense.mean) - 12, `dense, ${dense.size.toLocaleString("en")}`, { class: "middle strong" }),
        ]),
    ...drawn.flatMap(curve),
    ...drawn.flatMap(({ label, color }, i) => [
      tag("circle", { cx: x1 - 190, cy: y0 - 22 * (drawn.length - i), r: 4, fill: color }),
      text(x1 - 178, y0 - 22 * (drawn.length - i) + 4, label, { class: "strong" }),
    ]),
    text(x0, y1 - 14, caption),
    text((x0 + x1) / 2, y0 + 43, "trained numbers", { class: "middle" }),
  ]);
}

/** The toy network on MNIST: the rows of a sweep. */
function accuracy(): string {
  const { rows } = JSON.parse(readFileSync(new URL("bench/results/accuracy.json", root), "utf8")) as { rows: Row[] };
  const points = (of: string | null): Point[] =>
    rows
      .filter(({ pool }) => pool === of)
      .map(({ trainedSize, score, scores }) => {
        const percents = scores.map((one) => 100 * one.score);
        return { size: trainedSize, low: Math.min(...percents), mean: 100 * score, high: Math.max(...percents) };
      })
      .sort((a, b) => a.size - b.size);
  return chart({
    title: "Accuracy of the toy network on MNIST over the count of trained numbers",
    caption: "test accuracy, mean and range of three seeds",
    dense: points(null)[0] ?? null,
    curves: [
      { label: "product pool (SMH)", color: BLUE, points: points("product") },
      { label: "hash pool", color: ORANGE, points: points("hash") },
    ],
    sizes: [1500, 3000, 6000, 12_000, 24_000],
    percents: [96, 97, 98, 99],
  });
}

/** ResNet-20 on Fashion-MNIST: the finished runs. */
function evidence(): string {
  const lines = evidenceLines();
  const pointOf = (run: string): Point[] => {
    const found = finished(lines, run);
    if (found === null) return [];
    const percents = [...found.percents.values()];
    return [{ size: found.trainedSize, low: Math.min(...percents), mean: meanOf(found), high: Math.max(...percents) }];
  };
  const curves = [
    { label: "product pool (SMH)", color: BLUE, runs: [0.05, 0.1, 0.25, 0.5].map((fraction) => `product ${fraction}`) },
    { label: "fewer channels", color: GREEN, runs: ["width 0.3125", "width 0.5"] },
    { label: "hash pool", color: ORANGE, runs: [0.05, 0.1, 0.25, 0.5].map((fraction) => `hash ${fraction}`) },
    ...[1, 4].map((hashes) => ({
      label: `random hashing, ${hashes}×`,
      color: hashes === 1 ? PURPLE : RED,
      runs: [0.05, 0.1, 0.25, 0.5].map((fraction) => `random hashing ${hashes}× ${fraction}`),
    })),
  ].map(({ runs, ...curve }): Curve => ({ ...curve, points: runs.flatMap(pointOf) }));
  const dense = pointOf("dense")[0] ?? null;
  const lows = [...curves.flatMap(({ points }) => points), ...(dense === null ? [] : [dense])].map(({ low }) => low);
  const first = Math.floor(Math.min(92, ...lows));
  return chart({
    title: "Accuracy of ResNet-20 on Fashion-MNIST over the count of trained numbers",
    caption: "test accuracy after 8 epochs, mean and range of the seeds",
    ...{ dense, curves },
    sizes: [12_500, 25_000, 50_000, 100_000, 200_000],
    percents: Array.from({ length: 95 - first }, (_, i) => first + i),
  });
}

/** CPU time in milliseconds of one row of docs/benchmarks.md on one thread, by column. */
function benched(task: string): Map<string, number> {
  const rows = readFileSync(new URL("docs/benchmarks.md", root), "utf8").split("\n");
  const cells = (row: string): string[] => row.split("|").map((cell) => cell.trim());
  const begin = rows.findIndex((row) => row.startsWith("| ms, one thread |"));
  const found = rows.slice(begin).find((row) => cells(row)[1] === task);
  if (begin < 0 || found === undefined) throw new Error(`docs/benchmarks.md has no "${task}"`);
  return new Map(
    cells(rows[begin]!).flatMap((name, i): [string, number][] => {
      const ms = Number.parseFloat(cells(found)[i]!);
      return Number.isNaN(ms) ? [] : [[name, ms]];
    }),
  );
}

/** A training step of the toy network, compressed, on one thread. */
function speed(): string {
  const ms = benched("toy net, SMH 0.4, training step, batch 128");
  const bars = [
    { label: "hashgrad", ms: ms.get("hashgrad")!, fill: BLUE },
    { label: "PyTorch 1.13", ms: ms.get("PyTorch")!, fill: GRAY },
    { label: "TensorFlow.js WASM, gradients by hand", ms: ms.get("tfjs WASM")!, fill: GRAY },
    { label: "TensorFlow.js WASM, its own autodiff", ms: ms.get("tfjs WASM, autodiff")!, fill: GRAY },
    { label: "jax-js WASM", ms: ms.get("jax-js")!, fill: GRAY },
    { label: "TensorFlow.js CPU", ms: ms.get("tfjs CPU")!, fill: GRAY },
  ];
  const [x0, x1, top, step] = [270, 690, 34, 28];
  const scale = (x1 - x0) / (1.15 * ms.get("tfjs WASM, autodiff")!);
  return picture(770, top + bars.length * step + 10, "Milliseconds of a training step, compressed toy network, batch 128", [
    text(16, 20, "a training step of the toy network, SMH 0.4, batch 128, one thread: milliseconds"),
    ...bars.flatMap(({ label, ms, fill }, i) => {
      const y = top + i * step;
      const length = Math.min(x1 - x0, ms * scale);
      const cut = length < ms * scale; // a bar that is longer than the picture is torn off
      const tear = `M${round(x0 + length - 26)} ${y + 20}l8 -18h7l-8 18z`;
      return [
        text(x0 - 10, y + 15, label, { class: fill === BLUE ? "end strong" : "end" }),
        box(x0, y + 2, length, 18, fill, { rx: 2 }),
        ...(cut ? [tag("path", { d: tear, class: "page" })] : []),
        text(x0 + length + 8, y + 15, ms >= 100 ? Math.round(ms).toLocaleString("en") : ms.toFixed(1), {
          class: fill === BLUE ? "strong" : "faint",
        }),
      ];
    }),
  ]);
}

/** The pictures of docs/pictures by name. */
export const pictures = (): Map<string, string> =>
  new Map([
    ["smh.svg", method()],
    ["collisions.svg", collisions()],
    ["slices.svg", slices()],
    ["modules.svg", modules()],
    ["step.svg", trainingStep()],
    ["accuracy.svg", accuracy()],
    ["evidence.svg", evidence()],
    ["speed.svg", speed()],
  ]);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, svg] of pictures()) writeFileSync(new URL(name, import.meta.url), svg);
}

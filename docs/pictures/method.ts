// The pictures of docs/smh.md: how a pool makes the weights of a network.
import { collisions as collisionsOf, HashVariablePool, ProductVariablePool } from "../../src/smh/index.ts";
import { Generator } from "../../src/tensor/index.ts";
import { BLUE, box, GRAY, GREEN, grid, line, ORANGE, PURPLE, picture, round, tag, text } from "./svg.ts";

/**
 * A hash pool and a product pool with as many trained numbers: what `collisions` returns for all their weights. Color
 * is the sign of a number, strength its size.
 */
export function collisions(): string {
  const [d, cell] = [12, 15];
  const size = { poolSize: d * d, fraction: 1 / 3 };
  const hash = new HashVariablePool(size);
  const product = new ProductVariablePool(size);
  const r = product.replicas;
  const random = new Generator(7);
  const numbers = Array.from({ length: hash.coreSize }, () => random.normal());
  const [left, right] = [numbers.slice(0, d * r), numbers.slice(d * r)];
  const hashed = collisionsOf(hash, hash.getSlice([d, d]));
  const made = collisionsOf(product, product.getSlice([d, d]));
  const virtualOf = (weight: number): number => {
    const { variable_left: rows, variable_right: columns } = made.numbersOf(weight);
    return rows!.reduce((sum, number, k) => sum + left[number]! * right[columns![k]!]!, 0);
  };
  const shown = (value: number): { fill: string; strength: number } => ({
    fill: value < 0 ? ORANGE : BLUE,
    strength: 0.1 + 0.9 * Math.min(1, Math.abs(value) / 2),
  });
  const cellSize: [number, number] = [cell, cell];
  const top = 86;
  const [xNumbers, xHashed, xLeft, xProduct] = [16, 150, 420, 470];
  const yRight = top - r * cell - 16;
  /** A frame around cell `index` of a grid with this many columns. */
  const frame = (x: number, y: number, columns: number, index: number, width = 3): string =>
    box(x + (index % columns) * cell - 1.5, y + Math.floor(index / columns) * cell - 1.5, cell + 2, cell + 2, "none", {
      stroke: GREEN,
      "stroke-width": width,
    });
  const columns = 4;
  const chosen = 18; // the number of the hash pool that is framed
  const hits = hashed.weightsOf("hash", chosen);
  const from = [xNumbers + (chosen % columns) * cell, top + Math.floor(chosen / columns) * cell] as const;
  const weight = 4 * d + 8; // the weight of the product that is framed
  const { variable_left: rows, variable_right: cols } = made.numbersOf(weight);
  const sharing = new Set([...made.weightsOf("variable_left", rows![0]!), ...made.weightsOf("variable_right", cols![0]!)]);
  const below = (x: number, ...lines: string[]): string[] =>
    lines.map((content, i) => text(x, top + d * cell + 28 + 18 * i, content, i === 1 ? { class: "strong" } : {}));
  return picture(760, 330, "A hash pool repeats each trained number; in a product of as many numbers all weights differ", [
    text(xNumbers, 22, "hash pool", { class: "strong" }),
    text(xNumbers, top - 12, "numbers"),
    text(xHashed, top - 12, "weights"),
    grid([xNumbers, top], [numbers.length / columns, columns], cellSize, (i, k) => shown(numbers[i * columns + k]!)),
    grid([xHashed, top], [d, d], cellSize, (i, j) => shown(numbers[hashed.numbersOf(i * d + j).hash![0]!]!)),
    ...hits.map((hit) =>
      line(from[0] + cell, from[1] + cell / 2, xHashed + (hit % d) * cell, top + (Math.floor(hit / d) + 0.5) * cell, {
        stroke: GREEN,
        "stroke-width": 1.5,
      }),
    ),
    frame(xNumbers, top, columns, chosen),
    ...hits.map((hit) => frame(xHashed, top, d, hit)),
    ...below(xNumbers, `${numbers.length} trained numbers, ${d * d} weights,`, `${hashed.count} weights collide`),
    text(xLeft, 22, "product pool", { class: "strong" }),
    text(xProduct + d * cell + 10, yRight + cell + 4, "R"),
    text(xLeft + cell, top - 12, "L", { class: "middle" }),
    grid([xLeft, top], [d, r], cellSize, (i, k) => shown(left[i * r + k]!)),
    grid([xProduct, yRight], [r, d], cellSize, (k, j) => shown(right[k * d + j]!)),
    grid([xProduct, top], [d, d], cellSize, (i, j) => shown(virtualOf(i * d + j))),
    ...[...sharing].map((other) => frame(xProduct, top, d, other, 1)),
    ...rows!.map((number) => frame(xLeft, top, r, number)),
    ...cols!.map((number) => frame(xProduct, yRight, d, number)),
    frame(xProduct, top, d, weight),
    text(xProduct + d * cell + 10, top + 12, "W = L·R"),
    ...below(xLeft, `${numbers.length} trained numbers, ${d * d} weights,`, `${made.count} weights collide`),
  ]);
}

/** The first rows of W, by position, and the kernels that are cut from them. */
export function slices(): string {
  const [d, rows, width, height] = [10, 4, 30, 24];
  const [x, y] = [16, 44];
  const fills = [BLUE, ORANGE, GREEN, PURPLE];
  const kernels = [
    { name: "first kernel [3, 5]", begin: 0, shape: [3, 5], at: 380, dashes: "none" },
    { name: "second kernel [6, 4]", begin: 15, shape: [6, 4], at: 590, dashes: "7 4" },
  ] as const;
  const end = kernels[1].begin + 24;
  const place = (position: number): { fill: string; strength: number; label: string } => {
    const used = position < end;
    return { fill: used ? fills[Math.floor(position / d)]! : GRAY, strength: used ? 0.35 : 0.12, label: `${position}` };
  };
  /** A line around cells, through corners [column, row]. */
  const around = (corners: readonly (readonly [number, number])[], [left, top]: readonly [number, number], dashes: string) =>
    tag("path", {
      d: `M${corners.map(([column, row]) => `${left + column * width - 0.5} ${top + row * height - 0.5}`).join("L")}Z`,
      ...{ fill: "none", stroke: GRAY, "stroke-width": 3, "stroke-dasharray": dashes },
    });
  const outlines = [
    [
      [0, 0],
      [10, 0],
      [10, 1],
      [5, 1],
      [5, 2],
      [0, 2],
    ],
    [
      [5, 1],
      [10, 1],
      [10, 3],
      [9, 3],
      [9, 4],
      [0, 4],
      [0, 2],
      [5, 2],
    ],
  ] as const;
  return picture(770, 216, "Rows of W are cut into kernels: a slice may begin and end inside a row", [
    text(x, 24, "W, its first rows", { class: "strong" }),
    grid([x, y], [rows, d], [width, height], (i, j) => place(i * d + j)),
    ...outlines.map((corners, i) => around(corners, [x, y], kernels[i]!.dashes)),
    ...kernels.flatMap(({ name, begin, shape: [m, n], at, dashes }) => [
      text(at, 24, name, { class: "strong" }),
      grid([at, y], [m, n], [width, height], (i, j) => place(begin + i * n + j)),
      around(
        [
          [0, 0],
          [n, 0],
          [n, m],
          [0, m],
        ],
        [at, y],
        dashes,
      ),
    ]),
    text(x, y + rows * height + 26, "a color for each row of W, numbers are positions", { class: "faint" }),
    text(x, y + rows * height + 44, "position 39 is not used", { class: "faint" }),
  ]);
}

/** Left times right, every number as strong as its size, and the layers that the product's rows are handed out to. */
export function method(): string {
  const [n, r, cell] = [16, 3, 12];
  const random = new Generator(4);
  const draw = (count: number): number[] => Array.from({ length: count }, () => random.normal());
  const [left, right] = [draw(n * r), draw(r * n)];
  const product = (i: number, j: number): number =>
    Array.from({ length: r }, (_, k) => left[i * r + k]! * right[k * n + j]!).reduce((a, b) => a + b);
  const cells = (
    at: readonly [number, number],
    counts: readonly [number, number],
    value: (i: number, j: number) => readonly [number, string],
  ): string =>
    grid(at, counts, [cell, cell], (i, j) => {
      const [number, fill] = value(i, j);
      return { fill, strength: fill === GRAY ? 0.15 : 0.2 + 0.8 * Math.min(1, Math.abs(number) / 2) };
    });
  const layers = [
    { name: "conv1/kernel [2, 2, 1, 9]", size: 36, fill: GREEN },
    { name: "conv2/kernel [1, 1, 9, 10]", size: 90, fill: ORANGE },
    { name: "head/kernel [10, 7]", size: 70, fill: PURPLE },
  ];
  const ends = layers.map((_, i) => layers.slice(0, i + 1).reduce((sum, { size }) => sum + size, 0));
  const fillOf = (index: number): string => layers[ends.findIndex((end) => index < end)]?.fill ?? GRAY;
  const [top, side] = [42, n * cell];
  const [xLeft, xRight, xProduct, xLayers] = [16, 84, 316, 566];
  const middle = top + side / 2;
  const boxes = layers.map(({ name, size, fill }, i) => {
    const from = top + ((ends[i]! - size / 2) / n) * cell;
    const y = top + 8 + i * 58;
    const curve = `M${xProduct + side + 4} ${round(from)}C${xProduct + side + 34} ${round(from)} ${xLayers - 34} ${y + 20} ${xLayers - 4} ${y + 20}`;
    return [
      tag("path", { d: curve, fill: "none", stroke: fill, "stroke-width": 2 }),
      box(xLayers, y, 188, 40, fill, { rx: 5, "fill-opacity": 0.2, stroke: fill }),
      text(xLayers + 10, y + 17, name),
      text(xLayers + 10, y + 33, `${size} weights`, { class: "faint" }),
    ].join("");
  });
  return picture(770, 292, "All weights of a network are slices of one product of two trained matrices", [
    text(xLeft + (r * cell) / 2, top - 12, "left", { class: "middle strong" }),
    cells([xLeft, top], [n, r], (i, k) => [left[i * r + k]!, BLUE]),
    text(xLeft + r * cell + 14, middle + 5, "·", { class: "middle" }),
    text(xRight + side / 2, middle - (r * cell) / 2 - 12, "right", { class: "middle strong" }),
    cells([xRight, middle - (r * cell) / 2], [r, n], (k, j) => [right[k * n + j]!, BLUE]),
    text((xRight + side + xProduct) / 2, middle + 5, "=", { class: "middle" }),
    text(xProduct + side / 2, top - 12, "weights, read row by row", { class: "middle strong" }),
    cells([xProduct, top], [n, n], (i, j) => [product(i, j), fillOf(i * n + j)]),
    ...boxes,
    text(xLeft, top + side + 30, `trained and saved: ${2 * n * r} numbers`),
    text(xProduct, top + side + 30, `${ends.at(-1)} weights, made anew each step, never stored`),
    text(xProduct, top + side + 47, "rows that no layer uses are not computed", { class: "faint" }),
  ]);
}

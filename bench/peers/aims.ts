// What the comparison should show: the ratio of two figures and its bound, for one and for two threads.
import { NET_ROWS, NETS, type Net } from "./tasks.ts";

/** Looks up a figure: the key of a program, the number of threads, the row. */
export type Figure = (program: string, threads: number, row: string) => number | undefined;
type Ratio = (figure: Figure, threads: number) => number | undefined;
export type Aim = { readonly what: string; readonly most: boolean; readonly bound: number; readonly ratio: Ratio };

const over = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;
const against =
  (program: string, row: string): Ratio =>
  (figure, threads) =>
    over(figure("ours", threads, row), figure(program, threads, row));

const atMost = (what: string, bound: number, ratio: Ratio): Aim => ({ what, most: true, bound, ratio });
const atLeast = (what: string, bound: number, ratio: Ratio): Aim => ({ what, most: false, bound, ratio });

const overTorch = (row: string, bound: number): Aim => atMost(`${row}: hashgrad over PyTorch`, bound, against("pytorch", row));
const nets = Object.keys(NETS) as Net[];

export const TIME_AIMS: readonly Aim[] = [
  overTorch("toy net, SMH 0.4, training step, batch 128", 0.8),
  overTorch("128×128 net, SMH 0.4, training step, batch 8", 1.1),
  ...nets.map((net) => overTorch(`${net}, training step, batch 32`, net === "ResNet-20" ? 1.8 : 1)),
  ...nets.map((net) => overTorch(`${net}, inference, batch 64`, net === "ResNet-20" ? 1.8 : 1.3)),
  ...nets.map((net) => overTorch(`${net}, inference, batch 1`, 1.2)),
  ...NET_ROWS.filter((row) => row.includes("inference")).map((row) =>
    atLeast(`${row}: tfjs WASM over hashgrad`, 1.3, (figure, threads) =>
      over(figure("tfjs-wasm", threads, row), figure("ours", threads, row)),
    ),
  ),
  ...nets.map((net) =>
    atMost(`${net}, training step, batch 128: SMH 0.1 over dense`, 1.05, (figure, threads) =>
      over(
        figure("ours", threads, `${net}, SMH 0.1, training step, batch 128`),
        figure("ours", threads, `${net}, training step, batch 128`),
      ),
    ),
  ),
  ...NET_ROWS.filter((row) => !row.endsWith("batch 1")).map((row) =>
    atLeast(`${row}: one thread over two`, 1.7, (figure, threads) =>
      threads === 1 ? undefined : over(figure("ours", 1, row), figure("ours", 2, row)),
    ),
  ),
];

/** Peak memory: one figure per row. */
export const memoryAims = (rows: readonly string[]): readonly Aim[] =>
  rows.map((row) =>
    atMost(`${row}: peak memory, hashgrad over PyTorch`, row.includes("inference") ? 1 : 1.2, against("pytorch", row)),
  );

/** The rows of the table of aims: what, bound, and the ratios that were measured by one and two threads. */
export function aimRows(aims: readonly Aim[], figure: Figure, digits: (x: number) => string): string[][] {
  return aims.flatMap(({ what, most, bound, ratio }) => {
    const found = [1, 2].map((threads) => ratio(figure, threads));
    if (found.every((x) => x === undefined)) return [];
    const holds = (x: number): boolean => (most ? x <= bound : x >= bound);
    const cells = found.map((x) => (x === undefined ? "" : `${digits(x)}${holds(x) ? "" : " ✗"}`));
    return [[what, `${most ? "≤" : "≥"} ${bound}`, ...cells]];
  });
}

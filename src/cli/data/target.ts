import { DataError } from "../../data/index.ts";
import { statistics } from "./columns.ts";
import type { Skipped, Task } from "./opened.ts";
import { byCode } from "./order.ts";
import { isMissing, numberIn, type Row, type Table } from "./table.ts";

/** Whole numbers with more different values are numbers to predict, otherwise they are classes. */
export const MOST_NUMBERED_CLASSES = 20;
/** More classes than this are refused. */
const MOST_CLASSES = 1000;

/** The rows whose target can be used, and their targets. */
export type Target = { readonly rows: readonly Row[]; readonly skipped: readonly Skipped[] } & (
  | { readonly classes: readonly string[]; readonly labels: Int32Array }
  | { readonly classes: null; readonly numbers: readonly number[] }
);

/**
 * Reads the target column.
 * - Words are classes, in the order of their code units.
 * - Whole numbers with at most 20 different values, each in two rows on average, are classes, in ascending order.
 * - Other numbers are numbers to predict.
 *
 * `task` decides otherwise. Rows without a target are skipped, and so are words among numbers.
 * @throws DataError if there are fewer than two classes, more than 1000 classes, or if all numbers are equal.
 */
export function readTarget(table: Table, column: string, task: Task | null): Target {
  const index = table.header.indexOf(column);
  const present = table.rows.filter(({ cells }) => !isMissing(cells[index]!));
  const skipped = table.rows
    .filter(({ cells }) => isMissing(cells[index]!))
    .map(({ line }) => ({ where: `line ${line}`, reason: `the target "${column}" has no value` }));
  if (present.length === 0) throw new DataError(table.name, `has no row with a value in the target column "${column}"`);
  const cells = present.map(({ cells }) => cells[index]!);
  const numbers = cells.map((cell) => numberIn(cell, table.separator));
  return (task ?? taskOf(numbers)) === "classes"
    ? classTarget(table, column, present, cells, numbers, skipped)
    : numberTarget(table, column, present, cells, numbers, skipped);
}

function taskOf(numbers: readonly (number | null)[]): Task {
  const known = numbers.filter((number) => number !== null);
  const different = new Set(known).size;
  if (known.length < numbers.length)
    return known.length > numbers.length / 2 && different > MOST_NUMBERED_CLASSES ? "numbers" : "classes";
  const areFew = different <= MOST_NUMBERED_CLASSES && 2 * different <= known.length;
  return areFew && known.every(Number.isInteger) ? "classes" : "numbers";
}

function classTarget(
  table: Table,
  column: string,
  rows: readonly Row[],
  cells: readonly string[],
  numbers: readonly (number | null)[],
  skipped: readonly Skipped[],
): Target {
  const areNumbers = !numbers.includes(null);
  const names = areNumbers ? numbers.map(String) : cells; // 1 and 1.0 are one class
  const classes = [...new Set(names)].sort(areNumbers ? (a, b) => Number(a) - Number(b) : byCode);
  if (classes.length < 2)
    throw new DataError(table.name, `the target column "${column}" holds "${classes[0]}" only: need at least two classes`);
  if (classes.length > MOST_CLASSES) {
    const count = classes.length.toLocaleString("en");
    throw new DataError(
      table.name,
      `the target column "${column}" holds ${count} different values: need at most ${MOST_CLASSES} classes`,
    );
  }
  const labels = new Map(classes.map((name, label) => [name, label]));
  return { rows, skipped, classes, labels: Int32Array.from(names, (name) => labels.get(name)!) };
}

function numberTarget(
  table: Table,
  column: string,
  rows: readonly Row[],
  cells: readonly string[],
  numbers: readonly (number | null)[],
  missing: readonly Skipped[],
): Target {
  const words = rows.flatMap(({ line }, i) =>
    numbers[i] === null
      ? [{ where: `line ${line}`, reason: `the target "${column}" holds "${cells[i]}", which is not a number` }]
      : [],
  );
  const known = numbers.filter((number) => number !== null);
  if (known.length === 0)
    throw new DataError(table.name, `the target column "${column}" holds no numbers: leave out --task to predict classes`);
  const { stddev } = statistics(known);
  if (stddev === 0)
    throw new DataError(table.name, `the target column "${column}" holds ${known[0]} only: there is nothing to learn`);
  if (!Number.isFinite(stddev))
    throw new DataError(table.name, `the target column "${column}" holds numbers too large to standardize`);
  return { rows: rows.filter((_, i) => numbers[i] !== null), skipped: [...missing, ...words], classes: null, numbers: known };
}

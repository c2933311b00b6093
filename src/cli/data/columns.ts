import { DataError } from "../../data/index.ts";
import type { ColumnPreprocessing } from "./opened.ts";
import { byCode } from "./order.ts";
import { isMissing, numberIn, type Row, type Table } from "./table.ts";

/** Words of a column that become a category each; a column with more words is left out. */
export const MOST_CATEGORIES = 256;
/** With fewer rows, values that are all different do not make a column of ids. */
export const LEAST_ROWS = 20;

/** How a column becomes numbers, or the reason why it is left out. */
export type Decision = { readonly column: ColumnPreprocessing } | { readonly reason: string };

/**
 * Decides from the training rows how a column becomes numbers:
 * - all cells are numbers: (value − mean) / stddev. A missing value becomes the mean.
 * - other cells: a category for each word, and a category of its own for missing values.
 *
 * A column is left out if it has no values, one value, a different value in every row (ids), or too many words.
 * @throws DataError if a column of numbers has a few cells that are not.
 */
export function decideColumn(table: Table, index: number, rows: readonly Row[]): Decision {
  const name = table.header[index]!;
  const present = rows.filter(({ cells }) => !isMissing(cells[index]!));
  if (present.length === 0) return { reason: "has no values" };
  const words = present.map(({ cells }) => cells[index]!);
  const numbers = words.map((word) => numberIn(word, table.separator));
  const known = numbers.filter((number) => number !== null);
  if (known.length === words.length) return decideNumbers(table, name, known);

  const different = [...new Set(words)].sort(byCode);
  const isUnique = different.length === words.length && words.length >= LEAST_ROWS;
  if ((isUnique || different.length > MOST_CATEGORIES) && known.length > words.length / 2)
    refuseMixture(table, name, present[numbers.indexOf(null)]!, index, known.length, words.length);
  if (isUnique) return { reason: "has a different word in every row, as ids have" };
  if (different.length > MOST_CATEGORIES)
    return { reason: `has ${different.length.toLocaleString("en")} different words, more than ${MOST_CATEGORIES}` };
  const categories = present.length < rows.length ? ["", ...different] : different;
  if (categories.length === 1) return { reason: "has the same value in every row" };
  return { column: { name, kind: "category", categories } };
}

function decideNumbers(table: Table, name: string, numbers: readonly number[]): Decision {
  const { mean, stddev } = statistics(numbers);
  if (!Number.isFinite(stddev)) throw new DataError(table.name, `column "${name}" holds numbers too large to standardize`);
  if (stddev === 0) return { reason: "has the same value in every row" };
  if (areIds(numbers)) return { reason: "has a different whole number in every row, as ids have" };
  return { column: { name, kind: "number", mean, stddev } };
}

/** Mean and standard deviation of numbers; the deviation is 0 if they are all equal. */
export function statistics(numbers: readonly number[]): { readonly mean: number; readonly stddev: number } {
  const [first = 0] = numbers;
  if (numbers.every((number) => number === first)) return { mean: first, stddev: 0 };
  const mean = numbers.reduce((sum, number) => sum + number / numbers.length, 0);
  const stddev = Math.sqrt(numbers.reduce((sum, number) => sum + (number - mean) ** 2 / numbers.length, 0));
  return { mean, stddev };
}

/** Whether numbers count the rows: whole, all different, and either rising from row to row or without large gaps. */
function areIds(numbers: readonly number[]): boolean {
  if (numbers.length < LEAST_ROWS || !numbers.every(Number.isSafeInteger) || new Set(numbers).size < numbers.length) return false;
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.at(-1)! - sorted[0]! < 2 * numbers.length || numbers.every((number, i) => number === sorted[i]);
}

function refuseMixture(table: Table, name: string, { line, cells }: Row, index: number, numbers: number, all: number): never {
  const [some, total] = [numbers, all].map((n) => n.toLocaleString("en"));
  throw new DataError(
    table.name,
    `column "${name}" holds "${cells[index]}" in line ${line}, and numbers in ${some} of ${total} rows: correct the cell, or leave it empty`,
  );
}

/** The number of inputs that the columns make. */
export const widthOf = (columns: readonly ColumnPreprocessing[]): number =>
  columns.reduce((sum, column) => sum + (column.kind === "number" ? 1 : column.categories.length), 0);

/**
 * Writes the inputs of a row to `y` from `to` on, which holds zeros. A word that is no category stays zeros.
 * @param at - the position of each column in the row
 * @returns the reason if a cell is not what its column needs, otherwise null
 */
export function encodeRow(
  columns: readonly ColumnPreprocessing[],
  at: readonly number[],
  { cells }: Row,
  separator: Table["separator"],
  strict: boolean,
  y: Float32Array,
  to: number,
): string | null {
  let next = to;
  for (const [i, column] of columns.entries()) {
    const cell = cells[at[i]!]!;
    const missing = isMissing(cell);
    if (missing && strict) return `column "${column.name}" has no value`;
    if (column.kind === "category") {
      const place = column.categories.indexOf(missing ? "" : cell);
      if (place >= 0) y[next + place] = 1;
      next += column.categories.length;
      continue;
    }
    const number = missing ? column.mean : numberIn(cell, separator);
    if (number === null) return `column "${column.name}" holds "${cell}", which is not a number`;
    const standardized = Math.fround((number - column.mean) / column.stddev);
    if (!Number.isFinite(standardized)) return `column "${column.name}" holds "${cell}", too far from the training values`;
    y[next++] = standardized;
  }
  return null;
}

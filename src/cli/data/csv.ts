import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Arrays, DataError } from "../../data/index.ts";
import { type Tensor, tensor } from "../../tensor/index.ts";
import { decideColumn, encodeRow, statistics, widthOf } from "./columns.ts";
import { reasonOf } from "./folders.ts";
import type { ColumnPreprocessing, DataOptions, OpenedData, Reading, RowPreprocessing, Skipped } from "./opened.ts";
import { refusal } from "./skipped.ts";
import { randomSplit, stratifiedSplit } from "./split.ts";
import { columnIndex, type Row, readTable, type Table } from "./table.ts";
import { readTarget, type Target } from "./target.ts";

/**
 * Reads a CSV file with a column to predict. Columns become numbers as `decideColumn` decides from the training rows.
 * @throws DataError if `target` is missing, or if the file cannot be used. With `strict`, also if a row or a column
 * cannot be used or a value is missing.
 */
export async function openCsv(options: DataOptions, reading: Reading = {}): Promise<OpenedData> {
  const { data: path, target: column, strict, task = null } = options;
  const bytes = await bytesOf(path, reading.signal);
  const table = await readTable(path, bytes, reading);
  if (column === null) throw new DataError(path, `pass the column to predict, such as --target "${table.header.at(-1)}"`);
  columnIndex(table, column);
  if (table.header.length < 2) throw new DataError(path, `has the column "${column}" only: need at least one other column`);
  const limited = options.limit === null ? table : { ...table, rows: table.rows.slice(0, options.limit) };
  const target = readTarget(limited, column, task);
  const split =
    target.classes === null
      ? randomSplit(target.rows.length, options.validation, options.seed)
      : stratifiedSplit(target.labels, options.validation, options.seed);
  const { columns, leftOut } = columnsFor(
    table,
    column,
    Array.from(split.train, (i) => target.rows[i]!),
  );
  const scale = target.classes === null ? statistics(Array.from(split.train, (i) => target.numbers[i]!)) : null;
  if (scale?.stddev === 0)
    throw new DataError(path, `the target column "${column}" holds one value in the training rows: need more rows`);
  const preprocessing: RowPreprocessing = { kind: "rows", columns, target: column, scale };

  const [train, validation] = [split.train, split.validation].map((part) =>
    encodePart(table, target, part, preprocessing, strict),
  );
  const skipped = [...leftOut, ...[...table.skipped, ...target.skipped, ...train!.skipped, ...validation!.skipped].sort(byLine)];
  if (strict && skipped.length > 0) throw new DataError(path, refusal(skipped, "this file"));
  if (train!.data === null)
    throw new DataError(path, `holds no row that can be used; ${skipped[0]!.where}: ${skipped[0]!.reason}`);
  return {
    kind: "csv",
    train: train!.data,
    validation: validation!.data,
    test: null,
    inputShape: [widthOf(columns)],
    classes: target.classes,
    preprocessing,
    digest: createHash("sha256").update(bytes).digest("hex"),
    skipped,
  };
}

/** The bytes of a file. @throws DataError if the file cannot be read. */
export async function bytesOf(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await readFile(path, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new DataError(path, `cannot be read: it ${reasonOf(error)}`, { cause: error });
  }
}

const lineOf = ({ where }: Skipped): number => Number(where.replace("line ", ""));
const byLine = (a: Skipped, b: Skipped): number => lineOf(a) - lineOf(b);

/** The columns that become inputs, and those that are left out with their reasons. */
function columnsFor(
  table: Table,
  target: string,
  rows: readonly Row[],
): { columns: readonly ColumnPreprocessing[]; leftOut: readonly Skipped[] } {
  const columns: ColumnPreprocessing[] = [];
  const leftOut: Skipped[] = [];
  for (const [index, name] of table.header.entries()) {
    if (name === target) continue;
    const decision = decideColumn(table, index, rows);
    if ("column" in decision) columns.push(decision.column);
    else leftOut.push({ where: `column "${name}"`, reason: decision.reason });
  }
  if (columns.length > 0) return { columns, leftOut };
  const reasons = leftOut.map(({ where, reason }) => `${where} ${reason}`).join("; ");
  throw new DataError(table.name, `no column can be an input: ${reasons}`);
}

/** Rows as inputs and targets; null without rows. Rows with a cell that its column does not allow are skipped. */
function encodePart(
  table: Table,
  target: Target,
  positions: Int32Array,
  preprocessing: RowPreprocessing,
  strict: boolean,
): { readonly data: Arrays | null; readonly skipped: readonly Skipped[] } {
  const rows = Array.from(positions, (i) => target.rows[i]!);
  const { inputs, good, skipped } = encodeRows(table, rows, preprocessing.columns, strict);
  if (good.length === 0) return { data: null, skipped };
  const kept = good.map((i) => positions[i]!);
  const { mean, stddev } = preprocessing.scale ?? { mean: 0, stddev: 1 };
  const targets =
    target.classes === null
      ? Float32Array.from(kept, (i) => (target.numbers[i]! - mean) / stddev)
      : Int32Array.from(kept, (i) => target.labels[i]!);
  return { data: { inputs, targets }, skipped };
}

/**
 * The inputs of rows, `[rows, numbers]`, without the rows that have a cell that its column does not allow.
 * @returns the inputs, the positions of their rows, and the other rows
 */
export function encodeRows(
  table: Table,
  rows: readonly Row[],
  columns: readonly ColumnPreprocessing[],
  strict: boolean,
): { readonly inputs: Tensor; readonly good: readonly number[]; readonly skipped: readonly Skipped[] } {
  const at = columns.map(({ name }) => columnIndex(table, name));
  const width = widthOf(columns);
  const numbers = new Float32Array(rows.length * width);
  const good: number[] = [];
  const skipped: Skipped[] = [];
  for (const [i, row] of rows.entries()) {
    const to = good.length * width;
    const reason = encodeRow(columns, at, row, table.separator, strict, numbers, to);
    if (reason === null) {
      good.push(i);
      continue;
    }
    skipped.push({ where: `line ${row.line}`, reason });
    numbers.fill(0, to, to + width);
  }
  return { inputs: tensor(numbers.subarray(0, good.length * width), [good.length, width]), good, skipped };
}

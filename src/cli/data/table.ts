import { isUtf8 } from "node:buffer";
import { parse } from "csv-parse";
import { DataError } from "../../data/index.ts";
import type { Reading, Skipped } from "./opened.ts";

/** A line of a CSV file with as many cells as the header. */
export type Row = { readonly line: number; readonly cells: readonly string[] };

export type Table = {
  /** Names errors: the path of the file. */
  readonly name: string;
  readonly header: readonly string[];
  readonly rows: readonly Row[];
  readonly separator: Separator;
  /** Lines with more or fewer cells than the header. */
  readonly skipped: readonly Skipped[];
};

type Separator = "," | ";" | "\t";
const SEPARATORS: readonly Separator[] = [",", ";", "\t"];

/** Bytes that are parsed before the event loop runs again. */
const PIECE = 1 << 20;

/**
 * Reads a CSV file with a header. The separator is the comma, the semicolon or the tab that is most frequent in the
 * header. Spaces around cells are removed. Empty lines are ignored.
 * @throws DataError if the file is not UTF-8, a quote stays open, or the header has an empty, repeated or numeric name.
 */
export async function readTable(name: string, bytes: Uint8Array, { signal, onProgress }: Reading = {}): Promise<Table> {
  checkText(name, bytes);
  const separator = separatorOf(bytes);
  const records: string[][] = [];
  const parser = parse({
    bom: true,
    delimiter: separator,
    record_delimiter: ["\r\n", "\n", "\r"], // files that were joined may mix the ends of lines
    ltrim: true,
    relax_quotes: true, // 5" is a cell
    relax_column_count: true,
  });
  const ended = new Promise<void>((resolve, reject) => {
    parser.on("data", (record: string[]) => records.push(record));
    parser.on("end", resolve);
    parser.on("error", reject);
  });
  ended.catch(() => undefined); // awaited below
  for (let at = 0; at < bytes.length; at += PIECE) {
    signal?.throwIfAborted();
    parser.write(bytes.subarray(at, at + PIECE));
    await new Promise((resolve) => setImmediate(resolve));
    onProgress?.(Math.min(at + PIECE, bytes.length), bytes.length);
  }
  parser.end();
  try {
    await ended;
  } catch (error) {
    throw new DataError(name, parseError(error, records), { cause: error });
  }
  return tableOf(name, separator, records);
}

function checkText(name: string, bytes: Uint8Array): void {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) throw new DataError(name, "is UTF-16 text: save it as UTF-8");
  if (bytes.subarray(0, PIECE).includes(0)) throw new DataError(name, "is no text: it holds bytes of value 0");
  if (!isUtf8(bytes)) throw new DataError(name, "is not UTF-8 text, perhaps Latin-1: save it as UTF-8");
}

/** The separator that occurs most often in the first line, outside quotes. */
function separatorOf(bytes: Uint8Array): Separator {
  const text = new TextDecoder().decode(bytes.subarray(0, PIECE));
  const counts: Record<Separator, number> = { ",": 0, ";": 0, "\t": 0 };
  let quoted = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (!quoted && (letter === "\n" || letter === "\r")) break;
    else if (!quoted && letter in counts) counts[letter as Separator]++;
  }
  return SEPARATORS.reduce((best, next) => (counts[next] > counts[best] ? next : best));
}

function parseError(error: unknown, records: readonly string[][]): string {
  if ((error as { readonly code?: string }).code === "CSV_QUOTE_NOT_CLOSED") {
    const line = records.reduce((line, record) => line + linesOf(record), 1);
    return `a quote that opens in line ${line} is never closed`;
  }
  return error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : String(error);
}

/** The number of lines of a record: quoted cells may contain ends of lines. */
function linesOf(record: readonly string[]): number {
  let lines = 1;
  for (const cell of record) if (/[\r\n]/.test(cell)) lines += cell.match(/\r\n|\n|\r/g)!.length;
  return lines;
}

const isBlank = (record: readonly string[]): boolean => record.length === 1 && record[0]!.trim() === "";

function tableOf(name: string, separator: Separator, records: readonly string[][]): Table {
  const rows: Row[] = [];
  const skipped: Skipped[] = [];
  let header: readonly string[] | null = null;
  let line = 1;
  for (const record of records) {
    if (header === null && !isBlank(record)) header = headerOf(name, record);
    else if (header !== null && !isBlank(record)) {
      if (record.length === header.length) rows.push({ line, cells: record.map((cell) => cell.trimEnd()) });
      else skipped.push({ where: `line ${line}`, reason: `has ${record.length} cells, the header has ${header.length}` });
    }
    line += linesOf(record);
  }
  if (header === null) throw new DataError(name, "is empty: need a line with the names of the columns, then the rows");
  return { name, header, rows, separator, skipped };
}

/** The names of the columns. A column without a name is named by its position. */
function headerOf(name: string, record: readonly string[]): readonly string[] {
  const header = record.map((cell, i) => cell.trim() || `column ${i + 1}`);
  if (record.every((cell) => numberIn(cell.trim(), ",") !== null))
    throw new DataError(name, `the first line holds numbers only: need a line with the names of the columns`);
  const repeated = header.find((cell, i) => header.indexOf(cell) !== i);
  if (repeated !== undefined) throw new DataError(name, `two columns have the name "${repeated}": rename one of them`);
  return header;
}

/** The position of a column. @throws DataError with the names of all columns if there is none. */
export function columnIndex({ name, header }: Pick<Table, "name" | "header">, column: string): number {
  const index = header.indexOf(column);
  if (index >= 0) return index;
  const names = header.slice(0, 20).join(", ") + (header.length > 20 ? ", …" : "");
  throw new DataError(name, `has no column "${column}"; its columns are ${names}`);
}

/** Whether a cell says that its value is unknown. */
export const isMissing = (cell: string): boolean => /^(?:|\?|na|nan|null)$/i.test(cell);

/**
 * The number that a cell holds, null for other text. Files with semicolons come from countries that write 1,5 for 1.5,
 * so the comma is a decimal point there.
 */
export function numberIn(cell: string, separator: Table["separator"]): number | null {
  const text = separator === ";" ? cell.replace(/^([+-]?\d*),(\d+)/, "$1.$2") : cell;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

import { DataError } from "../../data/index.ts";
import { openCsv } from "./csv.ts";
import { openIdx } from "./idx.ts";
import { openImages } from "./images.ts";
import { kindOf } from "./kind.ts";
import type { DataOptions, OpenedData, Reading } from "./opened.ts";

/**
 * Reads the data of a command: "mnist", or what is found at the path.
 * @throws DataError if there are no data, or if they cannot be read.
 */
export async function openData(options: DataOptions, reading: Reading = {}): Promise<OpenedData> {
  reading.signal?.throwIfAborted();
  const kind = kindOf(options.data);
  if (kind === "csv") return openCsv(options, reading);
  if (options.target !== null)
    throw new DataError(options.data, `--target ${options.target} names a column, and these data are no CSV file: leave it out`);
  return kind === "idx" ? openIdx(options) : openImages(options, reading);
}

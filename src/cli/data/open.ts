import { openIdx } from "./idx.ts";
import type { DataOptions, OpenedData, Reading } from "./opened.ts";

/**
 * Reads the data of a command: "mnist", or what is found at the path.
 * @throws DataError if there are no data, or if they cannot be read.
 */
export async function openData(options: DataOptions, { signal }: Reading = {}): Promise<OpenedData> {
  signal?.throwIfAborted();
  return openIdx(options);
}

import { EXIT, type Io } from "../io.ts";
import { predictSources } from "../predictions.ts";
import { loadModel } from "../run/model.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";

/** The options of `hashgrad predict`. */
export type PredictOptions = {
  /** A run folder or a weights file. */
  readonly model: string;
  /** Images, folders of images or CSV files; "-" is the standard input. */
  readonly sources: readonly string[];
  readonly json: boolean;
  /** The number of classes to print. */
  readonly top: number;
  readonly threads: number | null;
};

/**
 * Predicts images or rows by the weights of a run, and prints a line for each. Returns the exit code: that of wrong
 * data if a file or row could not be read.
 */
export async function predict({ model: path, sources, json, top, threads }: PredictOptions, io: Io): Promise<number> {
  setThreads("predict", threads);
  if (sources.filter((source) => source === "-").length > 1)
    throw new UsageError("predict", "- is the standard input, which is read once: give - once");
  const { model, record } = loadModel(path);
  const { preprocessing, classes } = record;
  try {
    const { failed } = await predictSources(
      { model, preprocessing, classes },
      { sources, json, top },
      { ...io, input: standardInput(io.stdin) },
    );
    return failed === 0 ? EXIT.done : EXIT.usage;
  } catch (error) {
    if (io.signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

/** Reads the standard input to its end, once. */
function standardInput(stdin: AsyncIterable<Uint8Array> = process.stdin): () => Promise<Uint8Array> {
  let bytes: Promise<Uint8Array> | null = null;
  const read = async (): Promise<Uint8Array> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of stdin) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  return () => {
    bytes ??= read();
    return bytes;
  };
}

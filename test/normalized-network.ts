import { batchNorm, conv2d, dense, dropout, flatten, type Layer, sequential } from "../src/nn/index.ts";
import { relu } from "../src/ops/index.ts";
import type { Generator } from "../src/tensor/index.ts";
import { scope, type VariableCreator } from "../src/variables/index.ts";

/** A network for images [12, 12, 1] that remembers and draws: running statistics and dropout. */
export const normalizedNetwork = (vars: VariableCreator, random: Generator): Layer =>
  sequential(
    conv2d(scope(vars, "conv"), 1, 4, 3),
    batchNorm(scope(vars, "norm"), 4),
    relu,
    flatten(),
    dropout(0.2, random),
    dense(scope(vars, "dense"), 400, 10),
  );

import { backward, crossEntropy, step, type Tensor, training } from "../src/index.ts";
import type { Layer } from "../src/nn/index.ts";
import type { Optimizer } from "../src/optim/index.ts";

/** Trains a classifier for one step on a batch, and returns the loss before the update. */
export function update(
  model: Layer,
  optimizer: Optimizer,
  images: Tensor,
  labels: readonly number[] | Int32Array | Tensor,
): number {
  return step(() => {
    const loss = crossEntropy(
      training(() => model(images)),
      labels,
    );
    backward(loss);
    optimizer.step();
    return loss.item();
  });
}

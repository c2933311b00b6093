// Image classification with augmentation: digits from few images, shifted at random while the network trains, its
// weights compressed to a quarter.
import assert from "node:assert/strict";
import { Generator, pad, relu, scope, slice, type Tensor, type VariableCreator } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { batchNorm, conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { compress } from "hashgrad/smh";
import { evaluate, train } from "hashgrad/train";

const network = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv1"), 1, 8, 3, { padding: "same" }),
    batchNorm(scope(vars, "norm1"), 8),
    relu,
    maxPool2d(2),
    conv2d(scope(vars, "conv2"), 8, 16, 3, { padding: "same" }),
    batchNorm(scope(vars, "norm2"), 16),
    relu,
    maxPool2d(2),
    flatten(),
    dense(scope(vars, "head"), 4 * 4 * 16, 10),
  );

/** Images moved by up to two pixels, all images of the batch alike. */
function shift(images: Tensor, random: Generator): Tensor {
  const padded = pad(images, [
    [0, 0],
    [2, 2],
    [2, 2],
    [0, 0],
  ]);
  return slice(padded, [0, random.below(5), random.below(5), 0], images.shape);
}

const options = { height: 16, width: 16, noise: 0.3 };
const few = syntheticDigits(300, new Generator(1), options);
const test = syntheticDigits(500, new Generator(2), options);

const { model, vars, report } = compress(network, { fraction: 0.25, seed: 1 });
console.log(`${report.denseSize} weights of ${report.trainedSize} trained numbers`);
const { epochs } = await train({
  model,
  optimizer: adam(vars.parameters()),
  data: few,
  epochs: 15,
  batchSize: 20,
  transform: ({ inputs, targets }, random) => ({ inputs: shift(inputs, random), targets }),
});
const { accuracy, confusion } = await evaluate({ model, data: test });
console.log(`training accuracy ${epochs.at(-1)!.accuracy.toFixed(3)}, test accuracy ${accuracy.toFixed(3)}`);
console.log(`eights taken for eights: ${confusion[8]![8]} of 50`);
assert.ok(accuracy > 0.9, `accuracy is ${accuracy}`);

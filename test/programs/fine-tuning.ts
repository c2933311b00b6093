// Fine-tuning: a network learned six digits; its body is loaded into a network with a new head, frozen, and learns four
// other digits from few images.
import assert from "node:assert/strict";
import { DenseVariables, freeze, Generator, inference, relu, scope, unfreeze, type VariableCreator } from "hashgrad";
import { type Dataset, syntheticDigits } from "hashgrad/data";
import { encodeWeights, loadWeights } from "hashgrad/io";
import { batchNorm, conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { evaluate, train } from "hashgrad/train";

const body = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv1"), 1, 8, 3, { padding: "same" }),
    batchNorm(scope(vars, "norm1"), 8),
    relu,
    maxPool2d(4),
    flatten(),
    dense(scope(vars, "features"), 4 * 4 * 8, 32),
    relu,
  );

/** The images of some digits, labeled 0, 1, … in the order of the list. */
function digits(count: number, seed: number, chosen: readonly number[]): Dataset {
  const { inputs, inputShape, labels } = syntheticDigits(count, new Generator(seed), { height: 16, width: 16 });
  const size = 16 * 16;
  const kept = [...labels.keys()].filter((i) => chosen.includes(labels[i]!));
  return {
    inputs: Float32Array.from(kept.flatMap((i) => [...inputs.subarray(i * size, (i + 1) * size)])),
    inputShape,
    labels: Int32Array.from(kept, (i) => chosen.indexOf(labels[i]!)),
    classes: chosen.length,
  };
}

const old = new DenseVariables({ seed: 1 });
const six = sequential(body(scope(old, "body")), dense(scope(old, "head"), 32, 6));
await train({
  model: six,
  optimizer: adam(old.parameters(), { learningRate: 0.003 }),
  data: digits(800, 1, [0, 1, 2, 3, 4, 5]),
  epochs: 5,
  batchSize: 20,
});
const file = encodeWeights(old);

const vars = new DenseVariables({ seed: 2 });
const trunk = body(scope(vars, "body"));
const top = dense(scope(vars, "head"), 32, 4);
const report = loadWeights(file, vars, { strict: false });
console.log(`loaded ${report.loaded.length}, new: ${report.mismatched.join(" ")}`);
freeze(scope(vars, "body").parameters());
const bodyNow = (): [string, Float32Array][] =>
  scope(vars, "body")
    .variables()
    .map(({ name, read }) => [name, read().toArray()]);
const before = bodyNow();

const [few, test] = [digits(100, 2, [6, 7, 8, 9]), digits(500, 3, [6, 7, 8, 9])];
// In inference mode the running statistics of the body do not change.
const onTop = sequential((images) => inference(() => trunk(images)), top);
await train({ model: onTop, optimizer: adam(vars.parameters(), { learningRate: 0.01 }), data: few, epochs: 20, batchSize: 10 });
const model = sequential(trunk, top);
const head = await evaluate({ model, data: test });
assert.deepEqual(bodyNow(), before, "the body is frozen");

unfreeze(scope(vars, "body").parameters());
await train({ model, optimizer: adam(vars.parameters(), { learningRate: 0.001 }), data: few, epochs: 5, batchSize: 10 });
const whole = await evaluate({ model, data: test });
console.log(
  `${few.labels.length} images: accuracy ${head.accuracy.toFixed(3)} with the head alone, ${whole.accuracy.toFixed(3)} with the whole network`,
);
assert.notDeepEqual(bodyNow(), before, "the body trains again");
assert.ok(head.accuracy > 0.85, `head: ${head.accuracy}`);
assert.ok(whole.accuracy > 0.85, `whole: ${whole.accuracy}`);

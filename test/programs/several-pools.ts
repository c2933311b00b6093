// Several pools: convolutions from one pool, the dense layers from a smaller one, biases with their own numbers. Saved
// and loaded.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Generator, relu, scope, summary, type VariableCreator } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { loadWeights, saveWeights } from "hashgrad/io";
import { conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { HashVariablePool, ProductVariablePool, poolSizeFor, VariableFactory } from "hashgrad/smh";
import { evaluate, predict, train } from "hashgrad/train";

const network = (vars: VariableCreator): Layer =>
  sequential(
    conv2d(scope(vars, "conv1"), 1, 8, 3, { padding: "same" }),
    relu,
    maxPool2d(2),
    conv2d(scope(vars, "conv2"), 8, 16, 3, { padding: "same" }),
    relu,
    maxPool2d(2),
    flatten(),
    dense(scope(vars, "hidden"), 4 * 4 * 16, 32),
    relu,
    dense(scope(vars, "head"), 32, 10),
  );

const convolutions = /^conv.*kernel/;
const matrices = /^(hidden|head)\/kernel/;

/** The creator of the network's variables: the outer factory takes the convolutions, the inner one the rest. */
function twoPools(seed: number): VariableFactory {
  const convPool = new HashVariablePool({
    name: "conv",
    poolSize: poolSizeFor(network, { applyTo: convolutions }),
    fraction: 0.8,
    seed,
  });
  const densePool = new ProductVariablePool({
    name: "dense",
    poolSize: poolSizeFor(network, { applyTo: matrices }),
    fraction: 0.2,
    seed,
  });
  const inner = new VariableFactory({ pool: densePool, applyTo: matrices, seed });
  return new VariableFactory({ pool: convPool, applyTo: convolutions, variables: inner });
}

const options = { height: 16, width: 16 };
const test = syntheticDigits(300, new Generator(2), options);
const vars = twoPools(1);
const model = network(vars);
await train({
  model,
  optimizer: adam(vars.parameters()),
  data: syntheticDigits(500, new Generator(1), options),
  epochs: 6,
  batchSize: 25,
});
console.log(summary(vars));
const before = await evaluate({ model, data: test });

const folder = mkdtempSync(join(tmpdir(), "pools-"));
const file = join(folder, "two-pools.safetensors");
saveWeights(file, vars);
const copyVars = twoPools(2); // other starting numbers, until the file is loaded
const copy = network(copyVars);
const untrained = await evaluate({ model: copy, data: test });
const { loaded } = loadWeights(file, copyVars);
rmSync(folder, { recursive: true });
const after = await evaluate({ model: copy, data: test });
console.log(
  `accuracy ${before.accuracy.toFixed(3)}; of the copy ${untrained.accuracy.toFixed(3)}, and ${after.accuracy.toFixed(3)} once loaded`,
);
console.log(`loaded: ${loaded.join(" ")}`);
assert.ok(before.accuracy > 0.9, `accuracy is ${before.accuracy}`);
assert.deepEqual((await predict({ model: copy, data: test })).toArray(), (await predict({ model, data: test })).toArray());

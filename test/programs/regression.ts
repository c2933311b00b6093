// Tabular regression: the price of a property from five columns of a table, with a validation split, early stopping and
// R².
import assert from "node:assert/strict";
import { DenseVariables, Generator, meanAbsoluteError, meanSquaredError, relu, scope, tensor } from "hashgrad";
import { lengthOf, subset } from "hashgrad/data";
import { dense, sequential } from "hashgrad/nn";
import { adamW } from "hashgrad/optim";
import { evaluate, predict, rSquared, train } from "hashgrad/train";

const random = new Generator(7);
const rows = Array.from({ length: 1200 }, () => {
  const [area, rooms, age] = [40 + random.uniform() * 160, 1 + random.below(6), random.uniform() * 80];
  const [distance, garden] = [random.uniform() * 30, random.below(2)];
  const price = area * (4 - distance / 15) + 12 * rooms - 0.02 * age ** 2 + 40 * garden + 10 * random.normal();
  return { features: [area, rooms, age, distance, garden], price };
});

/** Columns with mean 0 and deviation 1. */
function standardized(table: readonly (readonly number[])[]): number[][] {
  const columns = table[0]!.map((_, c) => {
    const values = table.map((row) => row[c]!);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    return { mean, deviation };
  });
  return table.map((row) => row.map((v, c) => (v - columns[c]!.mean) / columns[c]!.deviation));
}

const inputs = tensor(standardized(rows.map(({ features }) => features)));
const targets = Float32Array.from(rows, ({ price }) => (price - 400) / 200);
const data = { inputs, targets };
const order = random.permutation(lengthOf(data));
const training = subset(data, order.subarray(0, 800));
const validation = subset(data, order.subarray(800, 1000));
const test = subset(data, order.subarray(1000));

const vars = new DenseVariables({ seed: 1 });
const model = sequential(
  dense(scope(vars, "hidden1"), 5, 32),
  relu,
  dense(scope(vars, "hidden2"), 32, 32),
  relu,
  dense(scope(vars, "price"), 32, 1),
);
const history = await train({
  model,
  optimizer: adamW(vars.parameters(), { learningRate: 0.01 }),
  data: training,
  loss: meanSquaredError,
  metrics: { r2: rSquared(), mae: meanAbsoluteError },
  validation,
  earlyStopping: { patience: 10, monitor: "mae", mode: "min" },
  epochs: 100,
  batchSize: 32,
});
const last = history.epochs.at(-1)!;
console.log(
  `${history.epochs.length} epochs, best ${history.bestEpoch}, validation R² ${last.validation!.metrics.r2.toFixed(3)}`,
);

const { metrics, count } = await evaluate({
  model,
  data: test,
  loss: meanSquaredError,
  metrics: { r2: rSquared(), mae: meanAbsoluteError },
});
const prices = await predict({ model, data: test });
console.log(`test: ${count} properties, R² ${metrics.r2.toFixed(3)}, mean error ${(200 * metrics.mae).toFixed(1)}`);
console.log(`a property of ${rows[order[1000]!]!.price.toFixed(0)} is guessed at ${(400 + 200 * prices.data[0]!).toFixed(0)}`);
assert.deepEqual(prices.shape, [200, 1]);
assert.ok(metrics.r2 > 0.97, `R² is ${metrics.r2}`);

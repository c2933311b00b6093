// A GPT of one block learns to repeat: the second half of each sequence is its first half.
import assert from "node:assert/strict";
import {
  add,
  argMax,
  crossEntropy,
  DenseVariables,
  Generator,
  gelu,
  range,
  scope,
  type Tensor,
  tensor,
  type VariableCreator,
} from "hashgrad";
import { dense, embedding, type Layer, layerNorm, multiHeadAttention, residual, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { evaluate, predict, train } from "hashgrad/train";

const [half, symbols, size] = [6, 8, 32];
const IGNORED = -1;

/** Sequences s s, to predict from all but the last symbol; what the first half holds cannot be known. */
function sequences(count: number, random: Generator): { inputs: Tensor; targets: Tensor } {
  const all = Array.from({ length: count }, () => {
    const first = Array.from({ length: half }, () => random.below(symbols));
    return [...first, ...first];
  });
  return {
    inputs: tensor(all.map((s) => s.slice(0, -1))),
    targets: tensor(all.map((s) => s.slice(1).map((symbol, i) => (i < half - 1 ? IGNORED : symbol)))),
  };
}

function gpt(vars: VariableCreator): Layer {
  const tokens = embedding(scope(vars, "tokens"), symbols, size);
  const positions = embedding(scope(vars, "positions"), 2 * half, size);
  const embed = (ids: Tensor): Tensor => add(tokens(ids), positions(range(0, ids.shape[1]!)));
  const attention = residual(
    sequential(layerNorm(scope(vars, "norm1"), size), multiHeadAttention(scope(vars, "attention"), size, 4, { causal: true })),
  );
  const mlp = residual(
    sequential(
      layerNorm(scope(vars, "norm2"), size),
      dense(scope(vars, "up"), size, 2 * size),
      gelu,
      dense(scope(vars, "down"), 2 * size, size),
    ),
  );
  return sequential(embed, attention, mlp, layerNorm(scope(vars, "norm3"), size), dense(scope(vars, "head"), size, symbols));
}

const vars = new DenseVariables({ seed: 1 });
const model = gpt(vars);
const loss = (logits: Tensor, targets: Tensor): Tensor => crossEntropy(logits, targets, { ignoreIndex: IGNORED });
const { epochs } = await train({
  model,
  optimizer: adam(vars.parameters(), { learningRate: 0.003 }),
  data: sequences(1000, new Generator(1)),
  validation: sequences(100, new Generator(2)),
  loss,
  epochs: 7,
  batchSize: 50,
});
console.log(`validation loss ${epochs.map(({ validation }) => validation!.loss.toFixed(2)).join(" ")}`);

const test = sequences(200, new Generator(3));
const found = argMax(await predict({ model, data: test })); // [200 · 11], row by row
const wanted = test.targets.toArray();
let [right, count] = [0, 0];
wanted.forEach((symbol, i) => {
  if (symbol === IGNORED) return;
  count++;
  if (found[i] === symbol) right++;
});
console.log(
  `of ${count} repeated symbols ${right} are right; test loss ${(await evaluate({ model, data: test, loss })).loss.toFixed(3)}`,
);
assert.ok(right / count > 0.95, `${right} of ${count}`);

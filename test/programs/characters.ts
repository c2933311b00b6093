// A character model: embedding, gru and dense learn a text, then write it from its first letters.
import assert from "node:assert/strict";
import { argMax, crossEntropy, DenseVariables, scope, type Tensor, tensor } from "hashgrad";
import { dense, embedding, gru } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { evaluate, train } from "hashgrad/train";

const text = "the cat sat on the mat. the dog ate the hat. a cat and a dog met on a mat. ".repeat(4);
const characters = [...new Set(text)].sort();
const ids = Int32Array.from(text, (c) => characters.indexOf(c));

const length = 32;
const windows = Array.from({ length: ids.length - length - 1 }, (_, i) => [...ids.subarray(i, i + length + 1)]);
const data = {
  inputs: tensor(windows.map((w) => w.slice(0, -1))),
  targets: tensor(windows.map((w) => w.slice(1))),
};

const vars = new DenseVariables({ seed: 3 });
const embed = embedding(scope(vars, "characters"), characters.length, 16);
const cell = gru(scope(vars, "gru"), 16, 64, { returns: "all" });
const head = dense(scope(vars, "head"), 64, characters.length);

const model = (x: Tensor): Tensor => head(cell(embed(x))[0]); // its state is for `write` below
const { epochs } = await train({
  model,
  optimizer: adam(vars.parameters(), { learningRate: 0.01 }),
  data,
  loss: crossEntropy,
  epochs: 6,
  batchSize: 32,
});
console.log(`loss ${epochs.map(({ loss }) => loss.toFixed(2)).join(" ")}`);

/** Writes on from a beginning: the state of the gru carries what was read. */
function write(beginning: string, count: number): string {
  let [written, next] = [beginning, beginning];
  let state: Tensor | undefined;
  for (let i = 0; i < count; i++) {
    const [outputs, h] = cell(embed(tensor([[...next].map((c) => characters.indexOf(c))])), state);
    const best = argMax(head(outputs)).at(-1)!;
    next = characters[best]!;
    written += next;
    state = h;
  }
  return written;
}
const written = write("the cat", 40);
console.log(written);
const { loss } = await evaluate({ model, data, loss: crossEntropy });
assert.ok(loss < 0.2, `loss is ${loss}`);
assert.ok(text.includes(written), "the text written is in the text read");

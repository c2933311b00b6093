// Trains a compressed network and returns its weights as bytes. Runs in Node.js and, bundled into one file, in a page
// or worker of a browser.
import { Generator } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { encodeWeights, loadWeights } from "hashgrad/io";
import { type Layer, toyNetwork } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { ProductVariablePool, poolSizeFor, VariableFactory } from "hashgrad/smh";
import { evaluate, train } from "hashgrad/train";

const build = (): { vars: VariableFactory; model: Layer } => {
  const vars = new VariableFactory({
    pool: new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.1, seed: 1 }),
  });
  return { vars, model: toyNetwork(vars) };
};

const { vars, model } = build();
const random = new Generator(1);
await train({ model, optimizer: adam(vars.parameters()), data: syntheticDigits(1000, random), epochs: 3, batchSize: 50 });
export const weights: Uint8Array = encodeWeights(vars); // to be stored, or sent
console.log(weights.length < 20_000); //=> true

const other = build();
loadWeights(weights, other.vars);
const { accuracy } = await evaluate({ model: other.model, data: syntheticDigits(500, random) });
console.log(accuracy > 0.9); //=> true

import { dropout as drop, mul } from "../ops/index.ts";
import { type Generator, isTraining, ones, readGenerator, readNumber, readTensor, type Tensor } from "../tensor/index.ts";
import { type Layer, refuseMore } from "./layer.ts";

/**
 * A dropout layer. In training mode it sets a random share `rate` of the numbers to 0 and multiplies the others by 1/(1
 * − rate). In inference mode it returns x.
 * @param rate - the share, at least 0 and below 1
 * @param random - draws the numbers to drop
 * @example
 * const layer = dropout(0.5, new Generator(1));
 * console.log(layer(ones([4])), training(() => layer(ones([4])))); //=> Tensor [4] 1 1 1 1 Tensor [4] 0 2 2 0
 */
export function dropout(rate: number, random: Generator): Layer {
  readNumber("dropout", "rate", rate, { least: 0, below: 1 });
  readGenerator("dropout", "random", random);
  return (x: Tensor, ...more: never[]) => {
    refuseMore("dropout", more);
    return isTraining() && rate > 0 ? drop(x, rate, () => random.uniform()) : readTensor("dropout", "x", x);
  };
}

/**
 * Returns a layer that drops whole examples of a branch before its shortcut joins (Huang et al. 2016). In training mode
 * an example of x [batch, ...] becomes 0 with probability `rate`, and the other examples grow by 1/(1 − rate). In
 * inference mode the layer returns x.
 * @param rate - the probability, at least 0 and below 1
 * @param random - draws the examples to drop
 * @example
 * const layer = stochasticDepth(0.5, new Generator(1));
 * console.log(training(() => layer(ones([4, 1])))); //=> Tensor [4, 1] 0 2 2 0
 */
export function stochasticDepth(rate: number, random: Generator): Layer {
  readNumber("stochasticDepth", "rate", rate, { least: 0, below: 1 });
  readGenerator("stochasticDepth", "random", random);
  return (x: Tensor, ...more: never[]) => {
    refuseMore("stochasticDepth", more);
    const { shape } = readTensor("stochasticDepth", "x", x);
    if (!isTraining() || rate === 0 || shape.length === 0) return x;
    const kept = drop(ones([shape[0]!, ...shape.slice(1).map(() => 1)]), rate, () => random.uniform());
    return mul(x, kept);
  };
}

import { dropout as drop, mul } from "../ops/index.ts";
import { type Generator, isTraining, ones, readGenerator, readNumber, readTensor, type Tensor } from "../tensor/index.ts";
import { type Layer, refuseMore } from "./layer.ts";

/**
 * A dropout layer. In training mode it sets a random share `rate` of the numbers to 0 and multiplies the others by 1/(1
 * − rate). In inference mode it returns x.
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
 * Drops whole examples of a branch before its shortcut joins (Huang et al. 2016): in training mode an example of x
 * [batch, ...] becomes 0 with probability `rate`, and the other examples grow by 1/(1 − rate). In inference mode
 * returns x.
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

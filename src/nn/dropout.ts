import { dropout as drop } from "../ops/index.ts";
import { type Generator, isTraining, readGenerator, readNumber, readTensor, type Tensor } from "../tensor/index.ts";
import { type Layer, refuseMore } from "./layer.ts";

/**
 * A dropout layer. In training mode it sets a random share `rate` of the numbers to 0 and multiplies the others by 1/(1 − rate).
 * In inference mode it returns x.
 */
export function dropout(rate: number, random: Generator): Layer {
  readNumber("dropout", "rate", rate, { least: 0, below: 1 });
  readGenerator("dropout", "random", random);
  return (x: Tensor, ...more: never[]) => {
    refuseMore("dropout", more);
    return isTraining() && rate > 0 ? drop(x, rate, () => random.uniform()) : readTensor("dropout", "x", x);
  };
}

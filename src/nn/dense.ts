import { matmul } from "../ops/index.ts";
import { readBoolean, readCount, readOptions, readTensor, ShapeError, show } from "../tensor/index.ts";
import {
  glorotUniform,
  type Initializer,
  readCreator,
  readInitializer,
  type VariableCreator,
  zerosInit,
} from "../variables/index.ts";
import type { Layer } from "./layer.ts";

/** Options of `dense`. */
export type DenseOptions = {
  /** Whether the layer has a bias (default true). */
  readonly bias?: boolean;
  /** The initializer of the kernel (default Glorot uniform). */
  readonly init?: Initializer;
  /** The initializer of the bias (default zeros). */
  readonly biasInit?: Initializer;
};

/**
 * A fully connected layer: x [batch, inputs] → [batch, outputs], y = x·kernel + bias. x may have more axes in front.
 * Variables: `kernel` [inputs, outputs] (Glorot uniform), `bias` [outputs] (zeros; none with `bias: false`).
 * @param inputs - the features of x
 * @param outputs - the features of the result
 * @example
 * const layer = dense(new DenseVariables(), 3, 2);
 * console.log(layer(ones([5, 3])).shape); //=> [ 5, 2 ]
 */
export function dense(vars: VariableCreator, inputs: number, outputs: number, options?: DenseOptions): Layer {
  readCreator("dense", "vars", vars);
  readCount("dense", "inputs", inputs, 0);
  readCount("dense", "outputs", outputs, 0);
  const {
    bias: biased = true,
    init = glorotUniform,
    biasInit = zerosInit,
  } = readOptions("dense", options, ["bias", "init", "biasInit"]);
  readBoolean("dense", "bias", biased);
  readInitializer("dense", "init", init);
  readInitializer("dense", "biasInit", biasInit);
  const kernel = vars.create("kernel", [inputs, outputs], { init });
  const bias = biased ? vars.create("bias", [outputs], { init: biasInit }) : null;
  return (x) => {
    readTensor("dense", "x", x);
    if (x.shape.length < 2 || x.shape.at(-1) !== inputs) {
      throw new ShapeError(
        "dense",
        `x ${show(x.shape)}: need [batch, ${inputs}] for ${kernel.name} ${show(kernel.shape)}; flatten() images first`,
      );
    }
    return matmul(x, kernel.read(), bias === null ? {} : { bias: bias.read() });
  };
}

import { add } from "../ops/index.ts";
import { readFunction, readTensor, ShapeError, sameShape, show, type Tensor, tidy } from "../tensor/index.ts";
import { type Layer, refuseMore } from "./layer.ts";

/**
 * Returns a layer that computes layer(x) + shortcut(x) (He et al. 2016).
 * @param layer - the branch
 * @param shortcut - the other branch (default: the identity)
 * @throws ShapeError if both results differ in shape.
 * @example
 * const block = residual(sequential(dense(new DenseVariables(), 4, 4), relu));
 * console.log(block(ones([2, 4])).shape); //=> [ 2, 4 ]
 */
export function residual(layer: Layer, shortcut: Layer = (x) => x): Layer {
  readFunction("residual", "layer", layer);
  readFunction("residual", "shortcut", shortcut);
  return (x: Tensor, ...more: never[]) => {
    refuseMore("residual", more);
    readTensor("residual", "x", x);
    return tidy(() => {
      const y = readTensor("residual", "the result of the layer", layer(x));
      const short = readTensor("residual", "the result of the shortcut", shortcut(x));
      if (sameShape(y.shape, short.shape)) return add(y, short);
      throw new ShapeError(
        "residual",
        `the layer makes ${show(y.shape)}, the shortcut ${show(short.shape)}: give a shortcut that changes x the same way`,
      );
    });
  };
}

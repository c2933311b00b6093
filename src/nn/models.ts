import { relu } from "../ops/index.ts";
import { checkShape, readCount, readOptions, ShapeError, show } from "../tensor/index.ts";
import { readCreator, scope, type VariableCreator } from "../variables/index.ts";
import { conv2d } from "./conv2d.ts";
import { dense } from "./dense.ts";
import { type Layer, sequential } from "./layer.ts";
import { flatten, maxPool2d } from "./pooling.ts";

/** Options of `toyNetwork`. */
export type ToyNetworkOptions = {
  /** Height, width and channels of the images (default [28, 28, 1]). */
  readonly inputShape?: readonly [number, number, number];
  /** The number of classes (default 10). */
  readonly classes?: number;
};

/**
 * The toy network of the original README: images [batch, height, width, channels] → logits [batch, classes].
 * Layers: conv 5×5×16 "same", max pool 2×2 with stride 2, relu, flatten, dense. The defaults fit MNIST.
 * Variables: conv/kernel, conv/bias, dense/kernel, dense/bias.
 * @example
 * const model = toyNetwork(new DenseVariables());
 * console.log(model(ones([2, 28, 28, 1])).shape); //=> [ 2, 10 ]
 */
export function toyNetwork(vars: VariableCreator, options?: ToyNetworkOptions): Layer {
  readCreator("toyNetwork", "vars", vars);
  const { inputShape = [28, 28, 1], classes = 10 } = readOptions("toyNetwork", options, ["inputShape", "classes"]);
  checkShape("toyNetwork", inputShape);
  readCount("toyNetwork", "classes", classes, 1);
  if (inputShape.length !== 3)
    throw new ShapeError("toyNetwork", `inputShape ${show(inputShape)}: need [height, width, channels]`);
  const [height, width, channels] = inputShape;
  if (height < 2 || width < 2)
    throw new ShapeError("toyNetwork", `inputShape ${show(inputShape)}: images need at least 2×2 pixels`);
  return sequential(
    conv2d(scope(vars, "conv"), channels, 16, 5, { padding: "same" }),
    maxPool2d(2, { strides: 2 }),
    relu, // after the pooling the same numbers and gradients as before it, for a quarter of the work
    flatten(),
    dense(scope(vars, "dense"), Math.floor(height / 2) * Math.floor(width / 2) * 16, classes),
  );
}

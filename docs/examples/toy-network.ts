// The toy network of the original README, in its two forms. A layer asks `vars` for its weights; it does not know how
// they are stored.
import { DenseVariables, Generator, randomUniform, relu, scope, summary, type VariableCreator } from "hashgrad";
import { conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";

/** Layers without names, as in Keras; `variableCreatorScope` gives their variables unique names. */
export function toyNetworkUnnamed(vars: VariableCreator): Layer {
  return sequential(
    conv2d(vars, 3, 16, [5, 5], { padding: "same" }),
    relu,
    maxPool2d([2, 2], { strides: 2 }),
    flatten(),
    dense(vars, 64 * 64 * 16, 10),
  );
}

/** Layers with names, as with tf_slim: every variable's name carries the whole path. */
export function toyNetworkNamed(vars: VariableCreator, name = "ToyNetwork"): Layer {
  const inside = scope(vars, name);
  return sequential(
    conv2d(scope(inside, "conv"), 3, 16, [5, 5], { padding: "same" }),
    relu,
    maxPool2d([2, 2], { strides: 2 }),
    flatten(),
    dense(scope(inside, "fully_connected"), 64 * 64 * 16, 10),
  );
}

const vars = new DenseVariables({ seed: 1 });
const model = toyNetworkNamed(vars);
const images = randomUniform([2, 128, 128, 3], new Generator(1));
console.log(model(images).shape); //=> [ 2, 10 ]
console.log(summary(vars));
//=> layer                       variable  shape          weights  storage
//=> ──────────────────────────  ────────  ─────────────  ───────  ───────
//=> ToyNetwork/conv             kernel    [5, 5, 3, 16]    1,200  dense
//=> ToyNetwork/conv             bias      [16]                16  dense
//=> ToyNetwork/fully_connected  kernel    [65536, 10]    655,360  dense
//=> ToyNetwork/fully_connected  bias      [10]                10  dense
//=> total                                                656,586

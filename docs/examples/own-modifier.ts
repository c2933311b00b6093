// A modifier is a function of the slice. A modifier with trained numbers asks the context for them.
import { add, DenseVariables, mul, type Tensor, tanh, zerosInit } from "hashgrad";
import { toyNetwork } from "hashgrad/nn";
import {
  composeModifiers,
  fanoutScaleModifier,
  type Modifier,
  ProductVariablePool,
  poolSizeFor,
  VariableFactory,
} from "hashgrad/smh";

/** Keeps weights between −1 and 1. */
const bounded = (slice: Tensor): Tensor => tanh(slice);

/** A learned shift for each variable; created with the variable, never taken from the pool. */
const shifted: Modifier = (slice, { variable }) => add(slice, mul(variable("shift", [], zerosInit), 0.1));

const factory = new VariableFactory({
  pool: new ProductVariablePool({ poolSize: poolSizeFor(toyNetwork), fraction: 0.4 }),
  modifier: composeModifiers(bounded, shifted, fanoutScaleModifier),
  variables: new DenseVariables({ seed: 7 }),
});
toyNetwork(factory);
for (const { name, tensor } of factory.parameters()) console.log(name, tensor.size);
//=> variable_left 6265
//=> variable_right 6265
//=> conv/kernel/shift_1 1
//=> conv/bias 16
//=> dense/kernel/shift_1 1
//=> dense/bias 10

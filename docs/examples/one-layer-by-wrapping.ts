// Only the convolution comes from the pool: it gets the factory; the other layers get dense variables.
import { DenseVariables, Generator, randomUniform, relu, scope, type VariableCreator, variableCreatorScope } from "hashgrad";
import { conv2d, dense, flatten, type Layer, maxPool2d, sequential } from "hashgrad/nn";
import { fanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";

function toyNetwork(vars: VariableCreator, factory: VariableCreator): Layer {
  const conv = variableCreatorScope(factory, (pooled) => conv2d(scope(pooled, "conv"), 3, 16, [5, 5], { padding: "same" }));
  return sequential(conv, relu, maxPool2d([2, 2], { strides: 2 }), flatten(), dense(scope(vars, "dense"), 64 * 64 * 16, 10));
}

const vars = new DenseVariables();
const factory = new VariableFactory({
  pool: new ProductVariablePool({ poolSize: 1216, fraction: 0.4 }),
  applyTo: ".*",
  modifier: fanoutScaleModifier,
});
const model = toyNetwork(vars, factory);
console.log(model(randomUniform([1, 128, 128, 3], new Generator(1))).shape); //=> [ 1, 10 ]
console.log([...factory.parameters(), ...vars.parameters()].map(({ name, tensor }) => `${name} ${tensor.size}`));
//=> [
//=>   'variable_left 210',
//=>   'variable_right 210',
//=>   'dense/kernel 655360',
//=>   'dense/bias 10'
//=> ]

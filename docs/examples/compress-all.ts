// Step 3 of the original README: all variables of a model come from the pool, with either scope function. This includes
// a scope called SMH.
import { Generator, randomUniform, variableCreatorScope, variableScope } from "hashgrad";
import { fanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { toyNetworkNamed, toyNetworkUnnamed } from "./toy-network.ts";

const images = randomUniform([1, 128, 128, 3], new Generator(1));
const newFactory = (): VariableFactory =>
  new VariableFactory({
    pool: new ProductVariablePool({ poolSize: 7e5, fraction: 0.4 }),
    applyTo: ".*",
    modifier: fanoutScaleModifier,
  });

// Layers without names of their own (TensorFlow 2): each variable gets a unique one.
const unnamed = newFactory();
const first = variableCreatorScope(unnamed, (vars) => toyNetworkUnnamed(vars));
console.log(first(images).shape); //=> [ 1, 10 ]
console.log(unnamed.variables().map(({ name, storage }) => `${name}: ${storage}`));
//=> [ 'kernel: pool', 'bias: pool', 'kernel_1: pool', 'bias_1: pool' ]

// Layers with names (TensorFlow 1).
const named = newFactory();
const second = variableScope("SMH", { creator: named }, (vars) => toyNetworkNamed(vars));
console.log(second(images).shape); //=> [ 1, 10 ]
for (const { name, storage } of named.variables()) console.log(`${name}: ${storage}`);
//=> SMH/ToyNetwork/conv/kernel: pool
//=> SMH/ToyNetwork/conv/bias: pool
//=> SMH/ToyNetwork/fully_connected/kernel: pool
//=> SMH/ToyNetwork/fully_connected/bias: pool

// 0.4 of the pool's 700,000, which is 0.4258 of the network's 656,586.
console.log(named.report().trainedSize, named.report().achievedFraction.toFixed(4)); //=> 279558 0.4258

// Step 2 of the original README: the pool and the factory.
import { fanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";

const pool = new ProductVariablePool({
  trainable: true,
  poolSize: 7e5,
  fraction: 0.4, // a model of 40 % of the original size
});
const factory = new VariableFactory({
  pool,
  applyTo: ".*", // every variable of the model
  modifier: fanoutScaleModifier,
});

for (const { name, tensor } of pool.coreVariables) console.log(name, tensor.shape);
//=> variable_left [ 837, 167 ]
//=> variable_right [ 167, 837 ]
console.log(pool.coreSize, pool.poolSize, pool.status); //=> 279558 700569 0
console.log(factory.report().trainedSize); //=> 279558

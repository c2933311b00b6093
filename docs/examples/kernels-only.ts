// The kernel_factory of the original README: only variables with "kernel" in their names come from the pool.
import { variableCreatorScope } from "hashgrad";
import { fanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { toyNetworkUnnamed } from "./toy-network.ts";

const kernelFactory = new VariableFactory({
  pool: new ProductVariablePool({ poolSize: 7e5, fraction: 0.4 }),
  applyTo: ".*kernel.*", // matched at the start of the name, hence the first .*
  modifier: fanoutScaleModifier,
});
variableCreatorScope(kernelFactory, (vars) => toyNetworkUnnamed(vars));

for (const { name, storage } of kernelFactory.variables()) console.log(`${name}: ${storage}`);
//=> kernel: pool
//=> bias: dense
//=> kernel_1: pool
//=> bias_1: dense

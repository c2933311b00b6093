// Only variables whose names contain "conv" come from the pool. Names are whole paths, so applyTo selects a layer by
// name.
import { variableScope } from "hashgrad";
import { fanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { toyNetworkNamed } from "./toy-network.ts";

const convFactory = new VariableFactory({
  pool: new ProductVariablePool({ poolSize: 1216, fraction: 0.4 }),
  applyTo: ".*conv.*", // a RegExp, /conv/, is searched anywhere; a function (name, shape) returns a boolean
  modifier: fanoutScaleModifier,
});
variableScope("SMH", { creator: convFactory }, (vars) => toyNetworkNamed(vars));

for (const { name, storage } of convFactory.variables()) console.log(`${name}: ${storage}`);
//=> SMH/ToyNetwork/conv/kernel: pool
//=> SMH/ToyNetwork/conv/bias: pool
//=> SMH/ToyNetwork/fully_connected/kernel: dense
//=> SMH/ToyNetwork/fully_connected/bias: dense

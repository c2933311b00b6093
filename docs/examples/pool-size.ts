// Step 1 of the original README: the size of the pool. `survey` and `poolSizeFor` build the model once without
// allocating its weights.
import { survey } from "hashgrad";
import { poolSizeFor } from "hashgrad/smh";
import { toyNetworkNamed } from "./toy-network.ts";

for (const { name, shape, size } of survey(toyNetworkNamed)) console.log(name, shape, size);
//=> ToyNetwork/conv/kernel [ 5, 5, 3, 16 ] 1200
//=> ToyNetwork/conv/bias [ 16 ] 16
//=> ToyNetwork/fully_connected/kernel [ 65536, 10 ] 655360
//=> ToyNetwork/fully_connected/bias [ 10 ] 10

console.log(poolSizeFor(toyNetworkNamed)); // kernels and matrices, the default choice
//=> 656560
console.log(poolSizeFor(toyNetworkNamed, { applyTo: ".*" })); // every variable, as in the table of the original README
//=> 656586

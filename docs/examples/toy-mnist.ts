// Trains the toy network of the original README on MNIST, its weights in a product pool. `npm run mnist -- --help`
// lists the options.
import { runProcess } from "../../src/cli/main.ts";

await runProcess(["train", "--data", "mnist"]);

// Trains the seed's toy network on MNIST, its weights in a product pool: `npm run mnist -- --help` lists the options.
import { runProcess } from "../../src/cli/main.ts";

await runProcess();

// Parses structured mutations of IDX files: node --import tsx test/data/fuzz-idx.ts [count] [seed]
import { faultsOfMutants } from "./idx-mutations.ts";

const [count, seed] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 1)];
const faults = faultsOfMutants(count, seed);
for (const fault of faults.slice(0, 20)) console.log(fault);
console.log(`${count} mutants of IDX files, seed ${seed}: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

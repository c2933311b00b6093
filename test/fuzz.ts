// `npm run test:fuzz [count [seed]]`: 100,000 structured mutations of a file in each format, then 100 kills of a
// process that saves.
import { kills } from "./io/kills.ts";
import { formats, fuzz } from "./io/mutations.ts";

const [count = 100_000, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number);
console.log(`seed ${seed}`);
for (const [name, format] of Object.entries(formats())) {
  const begun = performance.now();
  const refused = fuzz(format, count, seed);
  console.log(`${name}: ${count} mutated files, ${refused} refused, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
console.log(`${await kills(100)} kills while saving: the previous or the next file, complete, and no file of ours beside it`);

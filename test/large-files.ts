// `npm run test:large-files`: saves a model of 2.4 GB and loads it again, both bit for bit; takes 5 GB of memory and
// 2.4 GB of disk.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadWeights, saveWeights } from "../src/io/index.ts";
import { constantInit, DenseVariables } from "../src/variables/index.ts";

const [rows, columns] = [20_000, 10_000];
const folder = mkdtempSync(join(tmpdir(), "hashgrad-large-"));
try {
  const vars = new DenseVariables();
  const tensors = [0, 1, 2].map((i) => vars.create(`kernel ${i}`, [rows, columns], { init: constantInit(0) }).read());
  const fill = (change: number): void => {
    for (const [k, x] of tensors.entries()) for (let i = 0; i < x.size; i++) x.data[i] = (i % 16_777_213) + k + change;
  };
  fill(0);
  const path = join(folder, "large.safetensors");
  const before = process.resourceUsage().maxRSS;
  const begun = performance.now();
  saveWeights(path, vars);
  const saved = performance.now();
  const growth = (process.resourceUsage().maxRSS - before) / 1024;
  console.log(`saved ${statSync(path).size} bytes in ${Math.round(saved - begun)} ms, with ${Math.round(growth)} MB more memory`);
  if (statSync(path).size <= 2 ** 31) throw new Error("the file is not larger than 2 GiB");
  if (growth > 200) throw new Error("saving made a second copy of the model");
  fill(1);
  loadWeights(path, vars);
  console.log(`loaded in ${Math.round(performance.now() - saved)} ms`);
  for (const [k, x] of tensors.entries())
    for (let i = 0; i < x.size; i++)
      if (x.data[i] !== Math.fround((i % 16_777_213) + k)) throw new Error(`kernel ${k} differs at ${i}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

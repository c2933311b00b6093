// `npm run test:little-memory`, after `npm run build`: runs compressed networks on one image and fails if a process
// takes more than 250 MB. The pools have the fraction 0.05 and stream. A process has only dist, loads the weights from
// a file, and must return the logits of the model that was saved. ResNet-50 takes more than 250 MB without
// `streaming`, so the test also fails if a pool that streams keeps its weights.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Generator, noGrad, randomNormal, type VariableCreator } from "hashgrad";
import { saveWeights } from "hashgrad/io";
import { mobileNetV2, resNet } from "hashgrad/models";
import type { Layer } from "hashgrad/nn";
import { compress } from "hashgrad/smh";
import { root, runChild } from "./packed.ts";

const LIMIT = 250e6;
const networks: readonly (readonly [name: string, code: string, build: (vars: VariableCreator) => Layer])[] = [
  ["MobileNetV2", "mobileNetV2(vars)", (vars) => mobileNetV2(vars)],
  ["ResNet-50", "resNet(vars, 50)", (vars) => resNet(vars, 50)],
];

/** Prints the highest resident set of the process in bytes, and the logits. */
const program = (code: string, file: string): string => `
  import { existsSync, readFileSync } from "node:fs";
  import { Generator, noGrad, randomNormal } from "hashgrad";
  import { loadWeights } from "hashgrad/io";
  import { mobileNetV2, resNet } from "hashgrad/models";
  import { compress } from "hashgrad/smh";
  const { model, vars } = compress((vars) => ${code}, { fraction: 0.05, streaming: true, seed: 2 });
  loadWeights(${JSON.stringify(file)}, vars);
  const logits = noGrad(() => model(randomNormal([1, 224, 224, 3], new Generator(1)))).toArray();
  // Linux counts the parent's memory in maxRSS, but not in VmHWM.
  const [, high] = existsSync("/proc/self/status") ? /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8")) : [];
  const bytes = 1024 * (high ?? process.resourceUsage().maxRSS);
  console.log(JSON.stringify({ bytes, logits: [...logits] }));`;

if (!existsSync(join(root, "dist/index.js"))) throw new Error("dist is missing: npm run build");
const folder = mkdtempSync(join(tmpdir(), "hashgrad-memory-"));
try {
  for (const [name, code, build] of networks) {
    const file = join(folder, "model.safetensors");
    const { model, vars, report } = compress(build, { fraction: 0.05, seed: 1 });
    saveWeights(file, vars);
    const logits = noGrad(() => model(randomNormal([1, 224, 224, 3], new Generator(1)))).toArray();
    const args = ["--input-type=module", "-e", program(code, file)];
    const { code: status, stdout, stderr } = await runChild(process.execPath, args, { cwd: root, timeout: 120_000 });
    if (status !== 0) throw new Error(`${name}: the process ended with ${status}: ${stderr}`);
    const got = JSON.parse(stdout) as { bytes: number; logits: number[] };
    const sizes = `${(report.denseSize / 1e6).toFixed(1)} million weights from ${(report.trainedSize / 1e6).toFixed(2)} million`;
    console.log(`${name}, ${sizes}: ${(got.bytes / 1e6).toFixed(1)} MB`);
    if (got.logits.length !== logits.length || got.logits.some((value, i) => value !== logits[i]))
      throw new Error(`${name}: the loaded model has other logits than the saved model`);
    if (!(got.bytes > 0 && got.bytes <= LIMIT)) throw new Error(`${name}: more than ${LIMIT / 1e6} MB`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// Inference of a compressed network whose pool streams, beside a pool that keeps its product (docs/guides/compress.md):
// bytes held and milliseconds. `npm run streaming`. Weights are random; fraction 0.1, one thread.
import { configure, Generator, memory, noGrad, randomNormal, resetPeak } from "../src/index.ts";
import { mobileNetV2, resNet } from "../src/models/index.ts";
import type { Layer } from "../src/nn/index.ts";
import { compress } from "../src/smh/index.ts";
import { table, type VariableCreator } from "../src/variables/index.ts";

const networks: Readonly<Record<string, (vars: VariableCreator) => Layer>> = {
  "MobileNetV2, 224×224": (vars) => mobileNetV2(vars, {}),
  "ResNet-18, 224×224": (vars) => resNet(vars, 18, {}),
};
const ROUNDS = 5;
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

configure({ threads: 1 });
const rows: string[][] = [];
for (const [name, build] of Object.entries(networks)) {
  for (const batch of [1, 32]) {
    const x = randomNormal([batch, 224, 224, 3], new Generator(1));
    const runs = [false, true].map((streaming) => {
      const { model, report } = compress(build, { fraction: 0.1, streaming, seed: 1 });
      noGrad(() => model(x)); // makes the arena, and the product that is kept
      resetPeak();
      const kept = streaming ? 0 : 4 * report.pools[0]!.poolSize;
      const now = memory();
      noGrad(() => model(x));
      const peak = memory().peak - now.inUse;
      return {
        model,
        held: 4 * report.trainedSize + kept + peak,
        times: [] as number[],
      };
    });
    for (let round = 0; round < ROUNDS; round++) {
      for (const { model, times } of runs) {
        const began = process.cpuUsage();
        noGrad(() => model(x));
        const { user, system } = process.cpuUsage(began);
        times.push((user + system) / 1000);
      }
    }
    const [keeps, streams] = runs.map(({ held, times }) => ({ held, ms: median(times) }));
    rows.push([
      name,
      String(batch),
      ...[megabytes(keeps!.held), megabytes(streams!.held)],
      ...[keeps!.ms.toFixed(0), streams!.ms.toFixed(0), (streams!.ms / keeps!.ms).toFixed(2)],
    ]);
  }
}
console.log(table(["network", "batch", "MB, kept", "MB, streaming", "ms, kept", "ms, streaming", "ratio"], rows));

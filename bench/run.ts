// Benchmarks of the library.
// - `npm run bench` prints a table.
// - `npm run bench -- --json` prints one line of JSON per benchmark.
// - `npm run bench -- --seconds 0.05` measures for a shorter time.
// - `npm run bench -- --check` prints each bound and its figure. The exit code is 1 if a bound does not hold.
import { parseArgs } from "node:util";
import { backend } from "../src/backends/index.ts";
import { table } from "../src/variables/index.ts";
import { check, holds } from "./check.ts";
import { convBenches } from "./conv.ts";
import { elementwiseBenches } from "./elementwise.ts";
import { gemmBenches } from "./gemm.ts";
import { type Measurement, machine, sunk } from "./harness.ts";
import { stepBenches } from "./step.ts";

const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "0.5" },
  },
});
const budget = { seconds: Number(values.seconds), least: 5 };

async function promises(): Promise<void> {
  const lines = await check(Number(values.seconds));
  const { fused } = backend();
  console.log(`${machine()}${fused ? ", fused multiply-add" : ""}\n`);
  const rows = lines.map((line) => [
    line.what,
    line.figure.toFixed(2),
    `${line.most ? "≤" : "≥"} ${line.bound}`,
    holds(line) ? "pass" : "FAIL",
  ]);
  console.log(table(["what", "figure", "bound", ""], rows));
  if (!lines.every(holds)) process.exitCode = 1;
}

function benches(): void {
  const found: Measurement[] = [
    ...gemmBenches(budget),
    ...convBenches(budget),
    ...elementwiseBenches(budget),
    ...stepBenches(budget),
  ];
  if (values.json) for (const one of found) console.log(JSON.stringify({ ...one, machine: machine(), backend: backend() }));
  else {
    const rows = found.map(({ name, median, min, max, gflops }) => [
      name,
      median.toFixed(2),
      min.toFixed(2),
      max.toFixed(2),
      gflops === undefined ? "" : gflops.toFixed(2),
    ]);
    const { name, threads, fused } = backend();
    console.log(`${machine()}; backend ${name}, ${threads} threads${fused ? ", fused multiply-add" : ""}\n`);
    console.log(table(["bench", "median, ms", "min", "max", "GFLOP/s"], rows));
    const median = (name: string): number => found.find((one) => one.name === name)!.median;
    const ratio = (a: string, b: string): string => (median(a) / median(b)).toFixed(2);
    console.log(`\nblocked gemm over naive, 512³: ${ratio("gemm 512³ a·b naive", "gemm 512³ a·b blocked")} ×`);
    console.log(`wasm gemm over naive, 512³: ${ratio("gemm 512³ a·b naive", "gemm 512³ a·b wasm")} ×`);
    const [smh, dense] = ["toy net, SMH 0.4, training step, batch 128", "toy net, dense, training step, batch 128"];
    console.log(`SMH step over dense step, batch 128: ${ratio(smh, dense)} ×`);
  }
}

if (values.check) await promises();
else benches();
if (!Number.isFinite(sunk())) throw new Error("a bench computed something that is not a number");

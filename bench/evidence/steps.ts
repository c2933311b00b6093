import { appendFileSync } from "node:fs";
import { backend, Generator, randomUniform } from "../../src/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { update } from "../update.ts";
import { runOf } from "./runs.ts";

/** Milliseconds of CPU of one training step: the least of several rounds, which other programs disturb least. */
export type StepTime = {
  readonly run: string;
  readonly batch: number;
  readonly milliseconds: number;
  readonly rounds: number;
  readonly threads: number;
  readonly fused: boolean;
  readonly commit: string;
};

export const TIMED: readonly string[] = [
  "dense",
  ...["product", "hash", "random hashing 1×", "random hashing 4×"].flatMap((kind) => [`${kind} 0.1`, `${kind} 0.5`]),
];

/** Defaults: 15 rounds, batch 64, images of 28×28 pixels, the networks of `TIMED`. */
export type StepOptions = {
  readonly rounds?: number;
  readonly batch?: number;
  readonly side?: number;
  readonly runs?: readonly string[];
};

/** Measures the networks in turns, so that all of them meet the same disturbances, and appends a line for each. */
export function measureSteps(out: string, commit: string, options: StepOptions = {}): StepTime[] {
  const { rounds = 15, batch = 64, side = 28, runs = TIMED } = options;
  const random = new Generator(1);
  const images = randomUniform([batch, side, side, 1], random);
  const labels = Int32Array.from({ length: batch }, () => random.below(10));
  const steps = runs.map((name) => {
    const { vars, model } = runOf(name).build(1);
    const optimizer = sgd(vars.parameters(), { learningRate: 0.01, momentum: 0.9 });
    return (): number => update(model, optimizer, images, labels);
  });
  const least = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = -1; round < rounds; round++) {
    for (const [i, one] of steps.entries()) {
      const before = process.cpuUsage();
      one();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) least[i] = Math.min(least[i]!, (user + system) / 1000); // the first round compiles
    }
  }
  const { threads, fused } = backend();
  const lines = runs.map((run, i): StepTime => ({ run, batch, milliseconds: least[i]!, rounds, threads, fused, commit }));
  for (const line of lines) appendFileSync(out, `${JSON.stringify(line)}\n`);
  return lines;
}

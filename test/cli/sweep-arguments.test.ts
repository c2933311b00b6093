import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { TrainOptions } from "../../src/cli/commands/train.ts";
import { AUGMENTATIONS, POOLS } from "../../src/cli/options.ts";
import { argumentsOf } from "../../src/cli/sweep/child.ts";
import type { Plan } from "../../src/cli/sweep/plan.ts";
import { command } from "./run-command.ts";

let seen: TrainOptions | null = null;
vi.mock("../../src/cli/commands/train.ts", () => ({
  train: (options: TrainOptions) => {
    seen = options;
    return 0;
  },
}));

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const word = fc.stringMatching(/^[a-z=, -]{1,8}$/);
const plans: fc.Arbitrary<Pick<Plan, "data" | "settings">> = fc.record({
  data: fc.record({
    data: word.map((name) => `/data/${name}`),
    target: maybe(word),
    imageSize: maybe(fc.tuple(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 4096 }))),
    gray: fc.boolean(),
    validation: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    limit: maybe(fc.integer({ min: 1 })),
    strict: fc.boolean(),
    task: maybe(fc.constantFrom("classes", "numbers")),
  }),
  settings: fc.record({
    model: fc.constantFrom("toy", "resnet20"),
    epochs: fc.integer({ min: 1 }),
    batchSize: fc.integer({ min: 1 }),
    learningRate: maybe(fc.double({ min: 1e-12, max: 1e12, noNaN: true })),
    augment: fc.subarray([...AUGMENTATIONS]),
    earlyStopping: maybe(fc.integer({ min: 1 })),
  }),
});
const runs = fc.record({
  pool: maybe(fc.constantFrom(...POOLS)),
  fraction: fc.double({ min: 1e-9, max: 1, noNaN: true }),
  seed: fc.nat(),
});

test("the command of a run has all settings of its sweep", async () => {
  const property = fc.asyncProperty(plans, runs, maybe(fc.integer({ min: 1, max: 16 })), async (shared, run, threads) => {
    const plan: Plan = { format: "hashgrad sweep 1", version: "0", digest: "", ...shared, runs: [run] };
    expect(await command(argumentsOf(plan, run, "/no/such/folder", threads))).toMatchObject({ code: 0, err: "" });
    const { fraction, ...rest } = run;
    expect(seen).toEqual({
      ...shared.settings,
      ...rest,
      fraction: run.pool === null ? 0.4 : fraction, // a dense network has no fraction
      data: { ...shared.data, seed: run.seed },
      threads,
      out: "/no/such/folder",
      json: true,
      quiet: false,
    });
  });
  await fc.assert(property);
});

import fc from "fast-check";

/** Every run draws the same cases; another seed is tried by `FC_SEED=7 npx vitest run`. A failure prints its seed. */
export const seed: number = Number(process.env.FC_SEED ?? 20260101);

fc.configureGlobal({ seed, numRuns: Number(process.env.FC_RUNS ?? 30) });

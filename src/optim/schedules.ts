import { type Bounds, readFunction, readNumber, readObject, readOptions } from "../tensor/index.ts";

/** A factor of the learning rate for each step 0, 1, 2, … */
export type Schedule = (step: number) => number;

const LEAST_0: Bounds = { least: 0 };
const ABOVE_0: Bounds = { above: 0 };

/** A schedule whose steps are checked: numbers of at least 0. */
function scheduleOf(who: string, factor: Schedule): Schedule {
  return (step) => factor(readNumber(who, "step", step, LEAST_0));
}

/** The factor 1 at every step. */
export const constant: Schedule = scheduleOf("constant", () => 1);

/** Multiplies the rate by `factor` (default 0.1) after every `every` steps. */
export function stepDecay(options: {
  readonly every: number;
  /** The factor of each decay (default 0.1). */
  readonly factor?: number;
}): Schedule {
  const { every, factor = 0.1 } = readDecay("stepDecay", options, ["every", "factor"]);
  readNumber("stepDecay", "every", every, ABOVE_0);
  readNumber("stepDecay", "factor", factor, LEAST_0);
  return scheduleOf("stepDecay", (step) => factor ** Math.floor(step / every));
}

/** Multiplies the rate by `factor` every `every` steps (default 1), continuously. */
export function exponentialDecay(options: {
  readonly factor: number;
  /** The number of steps that apply the factor once (default 1). */
  readonly every?: number;
}): Schedule {
  const { factor, every = 1 } = readDecay("exponentialDecay", options, ["factor", "every"]);
  readNumber("exponentialDecay", "factor", factor, LEAST_0);
  readNumber("exponentialDecay", "every", every, ABOVE_0);
  return scheduleOf("exponentialDecay", (step) => factor ** (step / every));
}

/** Cosine decay from 1 to `end` (default 0) over `steps` (Loshchilov and Hutter 2017). After that, `end`. */
export function cosineDecay(options: {
  readonly steps: number;
  /** The last factor (default 0). */
  readonly end?: number;
}): Schedule {
  const { steps, end = 0 } = readDecay("cosineDecay", options, ["steps", "end"]);
  readNumber("cosineDecay", "steps", steps, ABOVE_0);
  readNumber("cosineDecay", "end", end, LEAST_0);
  return scheduleOf("cosineDecay", (step) => end + (1 - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps))));
}

/** Linear warm-up over `steps`, then another schedule (default constant), which counts its steps from there. */
export function warmUp(steps: number, schedule: Schedule = constant): Schedule {
  readNumber("warmUp", "steps", steps, LEAST_0);
  readFunction("warmUp", "schedule", schedule);
  return scheduleOf("warmUp", (step) => (step < steps ? (step + 1) / (steps + 1) : schedule(step - steps)));
}

/** The options of a schedule, of which at least one has no default. */
function readDecay<T extends object>(who: string, options: T, known: readonly (keyof T & string)[]): T {
  return readOptions(who, readObject(who, "options", options), known);
}

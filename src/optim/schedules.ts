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

/**
 * Returns a schedule that multiplies the rate by `factor` after every `every` steps.
 * @example
 * const schedule = stepDecay({ every: 10, factor: 0.5 });
 * console.log(schedule(9), schedule(10), schedule(20)); //=> 1 0.5 0.25
 */
export function stepDecay(options: {
  /** The number of steps between decays, above 0. */
  readonly every: number;
  /** The factor of each decay (default 0.1). */
  readonly factor?: number;
}): Schedule {
  const { every, factor = 0.1 } = readDecay("stepDecay", options, ["every", "factor"]);
  readNumber("stepDecay", "every", every, ABOVE_0);
  readNumber("stepDecay", "factor", factor, LEAST_0);
  return scheduleOf("stepDecay", (step) => factor ** Math.floor(step / every));
}

/**
 * Returns a schedule that multiplies the rate by `factor` every `every` steps, continuously.
 * @example
 * const schedule = exponentialDecay({ factor: 0.25, every: 10 });
 * console.log(schedule(5), schedule(10)); //=> 0.5 0.25
 */
export function exponentialDecay(options: {
  /** The factor of the rate, at least 0. */
  readonly factor: number;
  /** The number of steps that apply the factor once (default 1). */
  readonly every?: number;
}): Schedule {
  const { factor, every = 1 } = readDecay("exponentialDecay", options, ["factor", "every"]);
  readNumber("exponentialDecay", "factor", factor, LEAST_0);
  readNumber("exponentialDecay", "every", every, ABOVE_0);
  return scheduleOf("exponentialDecay", (step) => factor ** (step / every));
}

/**
 * Returns a schedule of cosine decay from 1 to `end` over `steps` steps (Loshchilov and Hutter 2017). After that,
 * `end`.
 * @example
 * const schedule = cosineDecay({ steps: 100, end: 0.5 });
 * console.log(schedule(0), schedule(50), schedule(100)); //=> 1 0.75 0.5
 */
export function cosineDecay(options: {
  /** The number of steps of the decay, above 0. */
  readonly steps: number;
  /** The last factor (default 0). */
  readonly end?: number;
}): Schedule {
  const { steps, end = 0 } = readDecay("cosineDecay", options, ["steps", "end"]);
  readNumber("cosineDecay", "steps", steps, ABOVE_0);
  readNumber("cosineDecay", "end", end, LEAST_0);
  return scheduleOf("cosineDecay", (step) => end + (1 - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps))));
}

/**
 * Returns a schedule of linear warm-up over `steps` steps, then another schedule, which counts its steps from there.
 * @param schedule - the schedule after the warm-up (default `constant`)
 * @param steps - the number of steps, at least 0
 * @example
 * const schedule = warmUp(4, cosineDecay({ steps: 100 }));
 * console.log(schedule(0), schedule(1), schedule(4), schedule(54)); //=> 0.2 0.4 1 0.5
 */
export function warmUp(steps: number, schedule: Schedule = constant): Schedule {
  readNumber("warmUp", "steps", steps, LEAST_0);
  readFunction("warmUp", "schedule", schedule);
  return scheduleOf("warmUp", (step) => (step < steps ? (step + 1) / (steps + 1) : schedule(step - steps)));
}

/** The options of a schedule, of which at least one has no default. */
function readDecay<T extends object>(who: string, options: T, known: readonly (keyof T & string)[]): T {
  return readOptions(who, readObject(who, "options", options), known);
}

import { type Bounds, readFunction, readNumber, readObject, readOptions } from "../tensor/index.ts";

/** The share of the learning rate that step 0, 1, 2, … is taken with. */
export type Schedule = (step: number) => number;

const LEAST_0: Bounds = { least: 0 };
const ABOVE_0: Bounds = { above: 0 };

/** A schedule whose steps are checked: numbers of at least 0. */
function scheduleOf(who: string, factor: Schedule): Schedule {
  return (step) => factor(readNumber(who, "step", step, LEAST_0));
}

/** The full rate all the time. */
export const constant: Schedule = scheduleOf("constant", () => 1);

/** Times `factor` (0.1) after every `every` steps. */
export function stepDecay(options: { readonly every: number; readonly factor?: number }): Schedule {
  const { every, factor = 0.1 } = readDecay("stepDecay", options, ["every", "factor"]);
  readNumber("stepDecay", "every", every, ABOVE_0);
  readNumber("stepDecay", "factor", factor, LEAST_0);
  return scheduleOf("stepDecay", (step) => factor ** Math.floor(step / every));
}

/** Times `factor` after every `every` (1) steps, smoothly. */
export function exponentialDecay(options: { readonly factor: number; readonly every?: number }): Schedule {
  const { factor, every = 1 } = readDecay("exponentialDecay", options, ["factor", "every"]);
  readNumber("exponentialDecay", "factor", factor, LEAST_0);
  readNumber("exponentialDecay", "every", every, ABOVE_0);
  return scheduleOf("exponentialDecay", (step) => factor ** (step / every));
}

/** From 1 down to `end` (0) over `steps` along half a cosine (Loshchilov and Hutter 2017), `end` from then on. */
export function cosineDecay(options: { readonly steps: number; readonly end?: number }): Schedule {
  const { steps, end = 0 } = readDecay("cosineDecay", options, ["steps", "end"]);
  readNumber("cosineDecay", "steps", steps, ABOVE_0);
  readNumber("cosineDecay", "end", end, LEAST_0);
  return scheduleOf("cosineDecay", (step) => end + (1 - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps))));
}

/** Rises in a straight line over the first `steps`, then follows another schedule (constant), which counts from there. */
export function warmUp(steps: number, schedule: Schedule = constant): Schedule {
  readNumber("warmUp", "steps", steps, LEAST_0);
  readFunction("warmUp", "schedule", schedule);
  return scheduleOf("warmUp", (step) => (step < steps ? (step + 1) / (steps + 1) : schedule(step - steps)));
}

/** The options of a schedule, of which at least one has no default. */
function readDecay<T extends object>(who: string, options: T, known: readonly (keyof T & string)[]): T {
  return readOptions(who, readObject(who, "options", options), known);
}

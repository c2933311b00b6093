import { ValueError } from "../tensor/index.ts";

/** The share of the learning rate that step 0, 1, 2, … is taken with. */
export type Schedule = (step: number) => number;

/** The full rate all the time. */
export const constant: Schedule = () => 1;

/** Times `factor` (0.1) after every `every` steps. */
export function stepDecay({ every, factor = 0.1 }: { readonly every: number; readonly factor?: number }): Schedule {
  positive("stepDecay", "every", every);
  return (step) => factor ** Math.floor(step / every);
}

/** Times `factor` after `every` (1) steps, smoothly. */
export function exponentialDecay({ factor, every = 1 }: { readonly factor: number; readonly every?: number }): Schedule {
  positive("exponentialDecay", "every", every);
  return (step) => factor ** (step / every);
}

/** From 1 down to `end` (0) over `steps` along half a cosine (Loshchilov and Hutter 2017), `end` from then on. */
export function cosineDecay({ steps, end = 0 }: { readonly steps: number; readonly end?: number }): Schedule {
  positive("cosineDecay", "steps", steps);
  return (step) => end + (1 - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps)));
}

/** Rises in a straight line over the first `steps`, then follows another schedule (constant), which counts from there. */
export function warmUp(steps: number, schedule: Schedule = constant): Schedule {
  if (!(Number.isFinite(steps) && steps >= 0)) throw new ValueError("warmUp", `steps must be at least 0, got ${steps}`);
  return (step) => (step < steps ? (step + 1) / (steps + 1) : schedule(step - steps));
}

function positive(who: string, name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) throw new ValueError(who, `${name} must be above 0, got ${value}`);
}

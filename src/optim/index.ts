/**
 * Optimizers, schedules of the learning rate, and gradient clipping.
 * @module optim
 */
export { type AdamOptions, adam, adamW } from "./adam.ts";
export { clipByGlobalNorm, clipByValue } from "./clip.ts";
export type { ParameterGroup } from "./groups.ts";
export type { Optimizer, OptimizerOptions, Trained } from "./optimizer.ts";
export { rmsprop } from "./rmsprop.ts";
export { constant, cosineDecay, exponentialDecay, type Schedule, stepDecay, warmUp } from "./schedules.ts";
export { sgd } from "./sgd.ts";

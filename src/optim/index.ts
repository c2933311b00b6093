/**
 * Optimizers, schedules of the learning rate, and gradient clipping.
 * @module optim
 */
export { type AdamOptions, adam, adamW } from "./adam.ts";
export { clipByGlobalNorm, clipByValue } from "./clip.ts";
export type { ParameterGroup } from "./groups.ts";
export type { Optimizer, OptimizerOptions, Trained } from "./optimizer.ts";
export { type RmspropOptions, rmsprop } from "./rmsprop.ts";
export { constant, cosineDecay, exponentialDecay, type Schedule, stepDecay, warmUp } from "./schedules.ts";
export { type SgdOptions, sgd } from "./sgd.ts";

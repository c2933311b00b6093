import type { Tensor } from "../tensor/index.ts";

/** Dropout and batch normalisation behave differently while training. */
export type Mode = "training" | "inference";

/** A part of a network: a function of tensors. Weights are captured variables; ops such as `relu` are layers as they are. */
export type Layer = (x: Tensor, mode?: Mode) => Tensor;

/** Layers one after another. */
export function sequential(...layers: readonly Layer[]): Layer {
  return (x, mode = "inference") => layers.reduce((y, layer) => layer(y, mode), x);
}

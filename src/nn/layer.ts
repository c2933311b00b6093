import { readFunction, readName, readTensor, type Tensor } from "../tensor/index.ts";

/** Dropout and batch normalization behave differently while training. */
export type Mode = "training" | "inference";

/** A part of a network: a function of tensors. Weights are captured variables; ops such as `relu` are layers as they are. */
export type Layer = (x: Tensor, mode?: Mode) => Tensor;

/** The mode that a layer is called with; left out: inference. */
export function readMode(who: string, mode: Mode | undefined): Mode {
  return mode === undefined ? "inference" : readName(who, "mode", mode, ["training", "inference"]);
}

/**
 * Layers one after another.
 * @throws ValueError if one of them is not a function, or returns no tensor; the message gives its position, from 0.
 */
export function sequential(...layers: readonly Layer[]): Layer {
  for (const [i, layer] of layers.entries()) readFunction("sequential", `layer ${i}`, layer);
  return (x, mode) => {
    readMode("sequential", mode);
    let y = readTensor("sequential", "x", x);
    for (const [i, layer] of layers.entries())
      y = readTensor("sequential", `the result of layer ${i}`, layer(y, mode ?? "inference"));
    return y;
  };
}

import * as curves from "./curves.ts";
import type { Numbers } from "./memory.ts";

/** The activations that other kernels can apply to their results. Kernels take the index of a name in this list. */
export const ACTIVATIONS = ["none", "relu", "relu6", "hardSwish", "silu"] as const;
/** The name of an activation that another op applies to its result. */
export type Activation = (typeof ACTIVATIONS)[number];

type Curve = { readonly of: (u: number) => number; readonly grad: (u: number, dy: number) => number };
/** The functions of `ACTIVATIONS`. */
export const CURVES: readonly Curve[] = [
  { of: (u) => u, grad: (_u, dy) => dy },
  { of: curves.relu, grad: curves.reluGrad },
  { of: curves.relu6, grad: curves.relu6Grad },
  { of: curves.hardSwish, grad: curves.hardSwishGrad },
  { of: curves.silu, grad: curves.siluGrad },
];

/** y = activation(y), in place. */
export function activate(activation: number, y: Numbers): void {
  const { of } = CURVES[activation]!;
  for (let i = 0; i < y.length; i++) y[i] = of(y[i]!);
}

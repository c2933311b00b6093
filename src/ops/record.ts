import type { Numbers } from "../kernels/index.ts";
import { type Pullback, type Shape, type Tensor, record as untyped } from "../tensor/index.ts";
import type { OpAttributes } from "./graph.ts";

/** `record` of the tensor module for ops of the library: the compiler holds the attributes to those that a graph promises. */
export const record: <Op extends keyof OpAttributes>(
  op: Op,
  attributes: OpAttributes[Op],
  inputs: readonly Tensor[],
  shape: Shape,
  numbers: Numbers,
  pullback: Pullback,
  lifetime?: Tensor["lifetime"],
) => Tensor = untyped;

import { kernels } from "../backends/index.ts";
import { alloc, type Numbers, release } from "../kernels/index.ts";
import { type Pullback, type Shape, type Tensor, record as untyped } from "../tensor/index.ts";
import type { OpAttributes } from "./graph.ts";

/**
 * `record` of the tensor module for ops of the library: the compiler holds the attributes to those that a graph
 * promises.
 */
export const record: <Op extends keyof OpAttributes>(
  op: Op,
  attributes: OpAttributes[Op],
  inputs: readonly Tensor[],
  shape: Shape,
  numbers: Numbers,
  pullback: Pullback,
  lifetime?: Tensor["lifetime"],
) => Tensor = untyped;

/** dx (+)= what `write` writes, for kernels that cannot add. */
export function added(dx: Numbers, accumulate: boolean, write: (to: Numbers) => void): void {
  if (!accumulate) return write(dx);
  const part = alloc(dx.length);
  write(part);
  kernels.axpy(1, part, dx, true);
  release(part);
}

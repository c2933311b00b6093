import { kernels } from "../backends/index.ts";
import { type Activation, alloc, type Numbers } from "../kernels/index.ts";
import { isRecording, readTensor, type Tensor, traceNow } from "../tensor/index.ts";
import type { OpAttributes, Unary } from "./graph.ts";
import { record } from "./record.ts";

/**
 * The op of the kernel `f(x, y)` and its gradient `fGrad(x, y, dy, dx, accumulate)`. Some gradients read x and others
 * y, so all take both.
 */
export function unary(f: Unary, x: Tensor): Tensor {
  readTensor(f, "x", x);
  const y = alloc(x.size);
  kernels[f](x.data, y);
  return record(f, {}, [x], x.shape, y, (dy, into) =>
    into(x, (dx, accumulate) => kernels[`${f}Grad` as const](x.data, y, dy, dx, accumulate)),
  );
}

/** Whether a gradient or a graph needs the result of each op on these tensors. */
export function isWatched(inputs: readonly (Tensor | undefined)[]): boolean {
  return traceNow() > 0 || (isRecording() && inputs.some((x) => x?.tracked === true));
}

/** The op `activation` of y, which no one else holds: in its memory if neither a gradient nor a graph needs y. */
export function activated(activation: Activation, y: Tensor): Tensor {
  if (activation === "none") return y;
  if (y.tracked || traceNow() > 0) return unary(activation, y);
  kernels[activation](y.data, y.data);
  return y;
}

type Pointwise = {
  readonly forward: (x: Numbers, y: Numbers) => void;
  readonly gradient: (x: Numbers, dy: Numbers, dx: Numbers, accumulate: boolean) => void;
};

/** Any other op of one tensor, element by element. Its gradient reads x. */
export function pointwise<Op extends keyof OpAttributes>(
  op: Op,
  attributes: OpAttributes[Op],
  x: Tensor,
  { forward, gradient }: Pointwise,
): Tensor {
  readTensor(op, "x", x);
  const y = alloc(x.size);
  forward(x.data, y);
  return record(op, attributes, [x], x.shape, y, (dy, into) => into(x, (dx, accumulate) => gradient(x.data, dy, dx, accumulate)));
}

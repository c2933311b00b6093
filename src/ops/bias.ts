import { kernels } from "../backends/index.ts";
import type { Numbers } from "../kernels/index.ts";
import { type Into, readTensor, ShapeError, show, type Tensor } from "../tensor/index.ts";

/** A bias has one number per output. */
export function checkBias(who: string, bias: Tensor | undefined, outputs: number): void {
  if (bias === undefined) return;
  readTensor(who, "bias", bias);
  if (bias.shape.length !== 1 || bias.size !== outputs) {
    throw new ShapeError(who, `bias ${show(bias.shape)} must be [${outputs}], one number per output`);
  }
}

/** dbias (+)= the sum of dy over all rows. */
export function pushBias(bias: Tensor | undefined, dy: Numbers, into: Into): void {
  if (bias === undefined) return;
  into(bias, (dbias, accumulate) => {
    const inner = dbias.length;
    kernels.sum({ outer: 1, n: inner === 0 ? 0 : dy.length / inner, inner }, dy, dbias, 1, accumulate);
  });
}

import { alloc, kernels } from "../kernels/index.ts";
import { readName, record, type Tensor } from "../tensor/index.ts";
import { mean, sum } from "./reduce.ts";

/** What becomes of the losses of a batch: their mean (the default), their sum, or one number per example. */
export type Reduction = "mean" | "sum" | "none";

export function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "mean") return mean(losses);
  return reduction === "sum" ? sum(losses) : losses;
}

export function readReduction(who: string, reduction: Reduction): Reduction {
  return readName(who, "reduction", reduction, ["mean", "sum", "none"]);
}

/**
 * weight·x element by element, and 0 where the weight is 0, even if x is infinite: an outcome of probability 0 adds nothing to a loss.
 */
export function weighted(weight: Tensor, x: Tensor): Tensor {
  const y = alloc(x.size);
  kernels.mulUnlessZero(weight.data, x.data, y);
  return record("weighted", {}, [weight, x], x.shape, y, (dy, into) => {
    into(weight, (dw, accumulate) => kernels.mul(dy, x.data, dw, accumulate)); // dw (+)= dy·x
    into(x, (dx, accumulate) => kernels.mul(dy, weight.data, dx, accumulate)); // dx (+)= dy·weight
  });
}

import { readName, type Tensor } from "../tensor/index.ts";
import { mean, sum } from "./reduce.ts";

/** The reduction of the losses of a batch: mean (default), sum, or none (one number per example). */
export type Reduction = "mean" | "sum" | "none";

export function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "mean") return mean(losses);
  return reduction === "sum" ? sum(losses) : losses;
}

export function readReduction(who: string, reduction: Reduction): Reduction {
  return readName(who, "reduction", reduction, ["mean", "sum", "none"]);
}

import { dropout as drop } from "../ops/index.ts";
import { type Generator, ValueError } from "../tensor/index.ts";
import type { Layer } from "./layer.ts";

/** In training a share `rate` of the numbers becomes 0 and the rest grows by 1/(1 − rate); in inference nothing happens. */
export function dropout(rate: number, random: Generator): Layer {
  if (!(rate >= 0 && rate < 1)) throw new ValueError("dropout", `rate must be at least 0 and below 1, got ${rate}`);
  return (x, mode = "inference") => (mode === "training" && rate > 0 ? drop(x, rate, () => random.uniform()) : x);
}

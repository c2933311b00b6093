import type { Tensor } from "./tensor.ts";

/** A trained leaf: what optimizers change and files hold. */
export type Parameter = {
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether weight decay applies: to weights, not to biases, norms and scales. */
  readonly decay: boolean;
  /** Scales the learning rate, which means the rate of dense weights: above 1 for the numbers of a pool. Left out: 1. */
  readonly rateFactor?: number;
};

import type { Tensor } from "./tensor.ts";

/** A named leaf that optimizers train and files hold. */
export type Parameter = {
  /** The full name, such as "conv1/kernel". */
  readonly name: string;
  /** The variable. */
  readonly tensor: Tensor;
  /** Whether weight decay applies: to weights, not to biases, norms and scales. */
  readonly decay: boolean;
  /** Scales the learning rate, which is the rate of dense weights (default 1). Above 1 for the numbers of a pool. */
  readonly rateFactor?: number;
};

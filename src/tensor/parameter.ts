import type { Tensor } from "./tensor.ts";

/** A trained leaf: what optimizers change and files hold. */
export type Parameter = {
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether weight decay applies: to weights, not to biases, norms and scales. */
  readonly decay: boolean;
  /** The learning rate that suits it under Adam when the user gives none, where that is not the optimizer's own default. */
  readonly learningRate?: number;
};

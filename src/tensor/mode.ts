import { readFunction } from "../kernels/index.ts";
import { refusePromise } from "./autograd.ts";

let isTrainingNow = false;

/** Returns whether the current code runs inside `training`. Dropout and batch normalization ask at each call. */
export function isTraining(): boolean {
  return isTrainingNow;
}

/**
 * Runs `fn` in training mode: dropout drops, batch normalization uses and updates batch statistics. Outside `training`
 * every layer runs in inference mode. `train` does this for its model.
 * @param fn - a synchronous function
 * @returns what `fn` returns
 * @throws ValueError if `fn` is async: the mode would hold for other code while `fn` waits.
 * @example
 * const norm = batchNorm(new DenseVariables(), 1);
 * const x = tensor([[1], [3]]);
 * console.log(training(() => norm(x)), norm(x)); //=> Tensor [2, 1] -0.9995 0.9995 Tensor [2, 1] 0.7996 2.799
 */
export function training<T>(fn: () => T): T {
  return inMode("training", true, fn);
}

/**
 * Runs `fn` in inference mode, the default: for an evaluation inside `training`.
 * @param fn - a synchronous function
 * @returns what `fn` returns
 * @throws ValueError if `fn` is async.
 */
export function inference<T>(fn: () => T): T {
  return inMode("inference", false, fn);
}

function inMode<T>(who: string, mode: boolean, fn: () => T): T {
  readFunction(who, "fn", fn);
  const before = isTrainingNow;
  isTrainingNow = mode;
  try {
    return refusePromise(who, fn());
  } finally {
    isTrainingNow = before;
  }
}

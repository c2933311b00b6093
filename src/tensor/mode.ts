import { readFunction } from "../kernels/index.ts";
import { refusePromise } from "./autograd.ts";

let isTrainingNow = false;

/** Whether the current code runs inside `training`. Dropout and batch normalization ask at each call. */
export function isTraining(): boolean {
  return isTrainingNow;
}

/**
 * Runs `fn` in training mode: dropout drops, batch normalization uses and updates batch statistics. Outside `training`
 * every layer runs in inference mode. `train` does this for its model.
 *
 * @example step(() => { const loss = crossEntropy(training(() => model(x)), labels); backward(loss); optimizer.step();
 * });
 * @throws ValueError if `fn` is async: the mode would hold for other code while `fn` waits.
 */
export function training<T>(fn: () => T): T {
  return inMode("training", true, fn);
}

/**
 * Runs `fn` in inference mode, the default: for an evaluation inside `training`. @throws ValueError if `fn` is async.
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

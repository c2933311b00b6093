import { add, type BatchNormOptions, mul, reshape, rsqrt, sub } from "../ops/index.ts";
import { isRecording, isTraining, keep, type Tensor, traceNow } from "../tensor/index.ts";
import type { Variable } from "../variables/index.ts";

// In inference mode batch normalization is x·scale + shift. After a convolution, a kernel·scale and a bias compute the
// same numbers, up to rounding, without a pass over the activations.

type Layer = (x: Tensor) => Tensor;

/** The variables of a convolution, and the convolution with other numbers and an activation. */
export type Convolution = {
  readonly outputs: number;
  readonly kernel: Variable;
  readonly bias: Variable | null;
  readonly run: (x: Tensor, kernel: Tensor, options: BatchNormOptions & { readonly bias: Tensor }) => Tensor;
};

/**
 * The variables and options of batch normalization. `fused`: an activation that a kernel applies; `then`: any other.
 */
export type Normalization = {
  readonly variables: readonly [gamma: Variable, beta: Variable, mean: Variable, variance: Variable];
  readonly epsilon: number;
  readonly fused: BatchNormOptions | undefined;
  readonly then: Layer;
};

const convolutions: WeakMap<object, Convolution> = /* @__PURE__ */ new WeakMap();
const normalizations: WeakMap<object, Normalization> = /* @__PURE__ */ new WeakMap();

/** Declares that `layer` is this convolution. */
export function asConvolution(layer: Layer, convolution: Convolution): Layer {
  convolutions.set(layer, convolution);
  return layer;
}

/** Declares that `layer` is this batch normalization. */
export function asNormalization(layer: Layer, normalization: Normalization): Layer {
  normalizations.set(layer, normalization);
  return layer;
}

/** Whether nothing needs the separate ops: in inference mode, while neither gradients nor a graph are recorded. */
export function canFold(): boolean {
  return !isTraining() && !isRecording() && traceNow() === 0;
}

type Folded = { readonly kernel: Tensor; readonly bias: Tensor };

/**
 * One layer that computes `second(first(x))` if `first` is a convolution and `second` its batch normalization. Call it
 * if `canFold()`.
 */
export function folded(first: object, second: object | undefined): Layer | undefined {
  const convolution = convolutions.get(first);
  const normalization = second === undefined ? undefined : normalizations.get(second);
  if (convolution === undefined || normalization === undefined) return undefined;
  if (convolution.outputs !== normalization.variables[0].shape[0]) return undefined; // an error, which the layers throw
  const { kernel, bias, run } = convolution;
  const { variables, epsilon, fused, then } = normalization;
  const all = [kernel, ...variables, ...(bias === null ? [] : [bias])];
  let last: (Folded & { readonly read: readonly Tensor[]; readonly versions: readonly number[] }) | null = null;
  const current = (): Folded => {
    const read = all.map((variable) => variable.read());
    if (last !== null && read.every((tensor, i) => tensor === last!.read[i] && tensor.version === last!.versions[i])) return last;
    const found = foldedOf(read, epsilon);
    if (read.some((tensor) => tensor.leaf === null)) return found; // weights of a pool are new tensors at every reading
    const versions = read.map((tensor) => tensor.version);
    last = { kernel: keep(found.kernel), bias: keep(found.bias), read, versions };
    return last;
  };
  return (x) => {
    const { kernel, bias } = current();
    return then(run(x, kernel, { bias, ...fused }));
  };
}

/** kernel·scale and (bias − mean)·scale + beta with scale = gamma/√(variance + epsilon). */
function foldedOf(read: readonly Tensor[], epsilon: number): Folded {
  const [kernel, gamma, beta, mean, variance, bias] = read as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?];
  const scale = mul(gamma, rsqrt(add(variance, epsilon)));
  const axes = kernel.shape.slice(-2);
  const isDepthwise = axes[1] !== scale.size; // [channels, multiplier]
  return {
    kernel: mul(kernel, isDepthwise ? reshape(scale, axes) : scale),
    bias: sub(beta, mul(bias === undefined ? mean : sub(mean, bias), scale)),
  };
}

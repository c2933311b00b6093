// The network of the page: the toy network, its kernels in a product pool.
import { DenseVariables, noGrad, softmax, tensor } from "hashgrad";
import { encodeWeights } from "hashgrad/io";
import { type Layer, toyNetwork } from "hashgrad/nn";
import { adam, cosineDecay, type Optimizer, warmUp } from "hashgrad/optim";
import { compress, type VariableFactory } from "hashgrad/smh";
import { PIXELS, SIDE } from "./digits.ts";
import type { Sizes } from "./messages.ts";

export type Network = { readonly fraction: number; readonly model: Layer; readonly vars: VariableFactory };

export const SEED = 1;

/** An untrained network. The same fraction gives the same starting values. */
export function networkOf(fraction: number): Network {
  const { model, vars } = compress((vars) => toyNetwork(vars), { fraction, seed: SEED });
  return { fraction, model, vars };
}

/** The optimizer of a run of `steps` steps, with the rates of `npm run mnist`. */
export function optimizerOf({ vars }: Network, steps: number): Optimizer {
  const rise = Math.min(100, Math.floor(steps / 10));
  return adam(vars.parameters(), {
    learningRate: 0.006,
    groups: [{ match: ({ rateFactor }) => rateFactor !== undefined, rateFactor: 10 }],
    schedule: warmUp(rise, cosineDecay({ steps: Math.max(1, steps - rise) })),
  });
}

let denseBytes = 0;

/** The sizes of a network. */
export function sizesOf({ fraction, vars }: Network): Sizes {
  if (denseBytes === 0) {
    const dense = new DenseVariables();
    toyNetwork(dense);
    denseBytes = encodeWeights(dense).length;
  }
  const { denseSize, trainedSize } = vars.report();
  const [float32, int8] = [encodeWeights(vars).length, encodeWeights(vars, { dtype: "int8" }).length];
  return { fraction, weights: denseSize, trained: trainedSize, bytes: { float32, int8, dense: denseBytes } };
}

/** The probabilities of the ten digits for the pixels of one image. */
export function classify({ model }: Network, pixels: Float32Array): Float32Array {
  if (pixels.length !== PIXELS) throw new RangeError(`classify: ${pixels.length} pixels; need ${PIXELS}`);
  return noGrad(() => Float32Array.from(softmax(model(tensor(pixels, [1, SIDE, SIDE, 1]))).data));
}

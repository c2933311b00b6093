import fc from "fast-check";
import { expect } from "vitest";

import { ProductVariablePool, poolSizeFor, VariableFactory } from "../../src/smh/index.ts";
import { Generator, type Outputs, type Tensor, variable } from "../../src/tensor/index.ts";
import { compareLeafGradient } from "../../src/testing/index.ts";
import { DenseVariables, type Initializer, normalInit, type VariableCreator } from "../../src/variables/index.ts";
import { checkReplay } from "../ops/replay.ts";

/** A layer as the law calls it, and the inputs that it moves together with the parameters. */
export type LayerCase = { readonly run: (...inputs: Tensor[]) => Outputs; readonly inputs: readonly Tensor[] };

/** For `init` and `biasInit`: numbers large enough that each of them shows in the result. */
export const lively: { readonly init: Initializer; readonly biasInit: Initializer } = {
  init: normalInit(0.5),
  biasInit: normalInit(0.5),
};

/** No pool of fewer weights has factors. */
const LEAST_POOL = 16;

/**
 * Checks a layer for drawn shapes, with weights of its own and with kernels in a pool:
 * - The gradients of all parameters and inputs agree with central differences.
 * - The recorded graph computes the layer, for the traced and for other inputs.
 */
export function checkLayerLaw(build: (vars: VariableCreator, random: Generator) => LayerCase): void {
  fc.assert(
    fc.property(fc.nat(), fc.boolean(), (seed, pooled) => {
      const weights = poolSizeFor((vars) => build(vars, new Generator(seed)));
      const pool = new ProductVariablePool({ poolSize: weights + LEAST_POOL, fraction: 1, seed });
      const vars = pooled && weights > 0 ? new VariableFactory({ pool, seed }) : new DenseVariables({ seed });
      const { run, inputs } = build(vars, new Generator(seed));
      const leaves = inputs.map((x) => variable(x));
      const random = new Generator(seed + 1);
      const { error } = compareLeafGradient(
        () => run(...leaves),
        [...vars.parameters().map(({ tensor }) => tensor), ...leaves],
        () => random.uniform(),
      );
      expect(error).toBeLessThan(2e-3);
      checkReplay(run, inputs);
    }),
  );
}

import { describe, type Outputs, readFunction, readOutputs, readTensors, Tensor, tidy, ValueError } from "../tensor/index.ts";
import { canFold, folded } from "./fold.ts";

/**
 * A part of a network: a function of tensors. A layer captures its variables. Ops without weights, such as `relu`, are
 * layers. The mode, training or inference, belongs to the run and not to the layer: see `training`.
 * @example
 * const merge: Layer<[a: Tensor, b: Tensor]> = (a, b) => add(a, b);
 * console.log(merge(ones([2]), ones([2]))); //=> Tensor [2] 2 2
 */
export type Layer<Inputs extends readonly (Tensor | undefined)[] = [x: Tensor], Result extends Outputs = Tensor> = (
  ...inputs: Inputs
) => Result;

/** Throws if a layer of one tensor was called with more, such as a mode: the mode is a property of the run. */
export function refuseMore(who: string, more: readonly unknown[]): void {
  if (more.length > 0)
    throw new ValueError(who, `takes one tensor, got ${describe(more[0])} after it; training(() => model(x)) sets the mode`);
}

/**
 * Returns a layer that calls layers in order. If a layer returns several tensors, they are the arguments of the next
 * layer. In inference mode under `noGrad`, a batch normalization that follows a convolution is folded into the kernel
 * of the convolution. Inside `noGrad`, the memory of a layer's inputs and work is taken back after the layer: use
 * `keep` for tensors that are read later.
 * @param layers - functions of tensors
 * @throws ValueError if an argument is not a function, or a layer does not return tensors. The message gives the
 * position of the layer, from 0.
 * @example
 * const vars = new DenseVariables();
 * const model = sequential(dense(scope(vars, "hidden"), 4, 8), relu, dense(scope(vars, "out"), 8, 2));
 * console.log(model(ones([3, 4])).shape); //=> [ 3, 2 ]
 */
export function sequential(...layers: readonly Layer[]): Layer;
/**
 * Returns a layer that calls layers in order, with the inputs of the first layer and the result of the last layer.
 * @param layers - functions of tensors
 */
export function sequential<Inputs extends readonly Tensor[], Result extends Outputs>(
  ...layers: readonly [Layer<Inputs, Outputs>, ...Layer<never[], Outputs>[], Layer<never[], Result>]
): Layer<Inputs, Result>;
export function sequential(...layers: readonly Layer<never[], Outputs>[]): Layer<Tensor[], Outputs> {
  for (const [i, layer] of layers.entries()) readFunction("sequential", `layer ${i}`, layer);
  const joined = layers.map((layer, i) => folded(layer, layers[i + 1]));
  return (...inputs) => {
    const first = readTensors("sequential", "the inputs", inputs);
    return tidy((settle) => {
      let outputs: Outputs = first;
      const folds = canFold();
      for (let i = 0; i < layers.length; i++) {
        const both = folds ? joined[i] : undefined;
        const layer = (both ?? layers[i]) as Layer<Tensor[], Outputs>;
        if (both !== undefined) i++;
        const given: readonly Tensor[] = outputs instanceof Tensor ? [outputs] : outputs;
        const result: Outputs = layer(...given);
        if (typeof result === "function")
          throw new ValueError("sequential", `layer ${i} returned a function: call what makes the layer, such as flatten()`);
        outputs = readOutputs("sequential", `the result of layer ${i}`, result);
        settle(outputs);
      }
      return outputs instanceof Tensor || outputs.length !== 1 ? outputs : outputs[0]!;
    });
  };
}

import { alloc, describe, readList, TENSOR_BRAND, ValueError } from "../kernels/index.ts";
import { fresh, Tensor } from "./tensor.ts";

/** x, if it is a tensor of this copy of the library. `name` is the argument's name in messages. */
export function readTensor(who: string, name: string, x: Tensor): Tensor {
  return x instanceof Tensor ? x : refuseTensor(who, name, x);
}

/** A tensor, or a number, which becomes a scalar tensor (float32). */
export function readOperand(who: string, name: string, x: Tensor | number): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x === "number") return fresh([], alloc(1).fill(x));
  return refuseTensor(who, name, x);
}

/** A list of tensors. */
export function readTensors(who: string, name: string, xs: readonly Tensor[]): readonly Tensor[] {
  readList(who, name, xs);
  for (let i = 0; i < xs.length; i++) if (!(xs[i] instanceof Tensor)) refuseTensor(who, `${name}[${i}]`, xs[i]);
  return xs;
}

/** What a layer or a model returns: a tensor, or several. */
export type Outputs = Tensor | readonly Tensor[];

/** A tensor, or a list of tensors. */
export function readOutputs<T extends Outputs>(who: string, name: string, outputs: T): T {
  if (Array.isArray(outputs)) readTensors(who, name, outputs);
  else readTensor(who, name, outputs as Tensor);
  return outputs;
}

/** Throws the error for a value that is no tensor of this copy of the library. */
export function refuseTensor(who: string, name: string, x: unknown): never {
  if (typeof x === "object" && x !== null && TENSOR_BRAND in x) {
    throw new ValueError(
      who,
      `${name} is a tensor of another copy of hashgrad: gradients do not pass from one copy to another; ` +
        "`npm ls hashgrad` lists the copies, and a bundler must not include two",
    );
  }
  const isCreator = typeof x === "object" && x !== null && "create" in x && "parameters" in x;
  const remedy = isCreator ? "a model is built by a function, (vars) => layer, not by a layer" : "make one with tensor(...)";
  throw new ValueError(who, `${name} must be a tensor, got ${describe(x)}; ${remedy}`);
}

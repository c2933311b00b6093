import {
  allocLasting,
  describe,
  type Numbers,
  readList,
  readNumbers,
  readObject,
  ShapeError,
  ValueError,
} from "../kernels/index.ts";
import { readTensor } from "./arguments.ts";
import { historyOf } from "./autograd.ts";
import type { Parameter } from "./parameter.ts";
import { sameShape, show } from "./shape.ts";
import { type LeafGradient, Tensor } from "./tensor.ts";
import { watching } from "./watch.ts";

// Variables, the leaves of the graph: their numbers and gradients are read and written here.

/**
 * Returns a variable with the numbers of x. `backward` adds its gradient to `grad`; `assign` and optimizers change its
 * numbers.
 * @param x - any shape
 * @example
 * const w = variable(zeros([2]));
 * backward(sum(add(w, 1)));
 * console.log(w.grad); //=> Tensor [2] 1 1
 */
export function variable(x: Tensor): Tensor {
  readTensor("variable", "x", x);
  const copy = new Tensor(x.shape, allocLasting(x.size), { ended: null, version: 0 });
  copy.numbers.set(x.data);
  copy.history = historyOf("variable", {}, [], null);
  copy.leaf = { buffer: null, filled: false };
  return copy;
}

/**
 * Clears the gradients of variables. The step of an optimizer does this for its parameters.
 * @param leaves - variables
 */
export function zeroGrad(leaves: Iterable<Tensor>): void {
  const isIterable = typeof leaves === "object" && leaves !== null && Symbol.iterator in leaves;
  if (!isIterable) throw new ValueError("zeroGrad", `leaves must be a list of variables, got ${describe(leaves)}`);
  for (const x of leaves) {
    const { leaf } = readTensor("zeroGrad", "each leaf", x);
    if (leaf !== null) leaf.filled = false;
  }
}

/** The live gradient of a leaf, for optimizers; null if there is none. */
export function gradientOf(x: Tensor): Numbers | null {
  return x.leaf?.filled ? x.leaf.buffer : null;
}

/**
 * Overwrites the gradient of a variable: for clipping, accumulation, or gradients from another process. `x.grad` reads
 * the gradient.
 * `values: null` removes the gradient, so optimizers do not change x.
 * @param x - a variable
 * @param values - as many numbers as x has, or null
 * @throws ShapeError if the number of values differs, ValueError if x is not a variable.
 * @example
 * const w = variable(tensor([1, 2]));
 * assignGradient(w, [0.5, 0.5]);
 * sgd([w], { learningRate: 1 }).step();
 * console.log(w); //=> Tensor [2] 0.5 1.5
 */
export function assignGradient(x: Tensor, values: Tensor | ArrayLike<number> | null): void {
  const { leaf } = readLeaf("assignGradient", x);
  if (values === null) {
    leaf.filled = false;
    return;
  }
  const source = readValues("assignGradient", values, x);
  leaf.buffer ??= allocLasting(x.size);
  leaf.buffer.set(source);
  leaf.filled = true;
}

/**
 * Stops the training of variables: ops record nothing for them, they get no gradient, and optimizers do not change
 * them.
 * Accepts parameters (`vars.parameters()`) or variables. Files still contain them. See `unfreeze`.
 * @param variables - parameters (`vars.parameters()`) or variables
 * @example
 * const w = variable(tensor([1, 2]));
 * freeze([w]);
 * console.log(square(w).tracked); //=> false
 */
export function freeze(variables: readonly (Tensor | Parameter)[]): void {
  for (const x of leavesOf("freeze", variables)) {
    x.history = null;
    x.leaf.filled = false;
  }
}

/**
 * Trains frozen variables again.
 * @param variables - parameters (`vars.parameters()`) or variables
 * @example
 * const w = variable(tensor([1, 2]));
 * freeze([w]);
 * unfreeze([w]);
 * console.log(square(w).tracked); //=> true
 */
export function unfreeze(variables: readonly (Tensor | Parameter)[]): void {
  for (const x of leavesOf("unfreeze", variables)) x.history ??= historyOf("variable", {}, [], null);
}

type Leaf = Tensor & { leaf: LeafGradient };

function leavesOf(who: string, variables: readonly (Tensor | Parameter)[]): Leaf[] {
  const list = readList(who, "variables, such as vars.parameters(),", variables);
  return list.map((one) => readLeaf(who, one instanceof Tensor ? one : readParameter(who, one).tensor));
}

function readParameter(who: string, one: Parameter): Parameter {
  if ("tensor" in readObject(who, "each variable", one)) return one;
  throw new ValueError(who, `each variable must be a tensor or a parameter, got ${describe(one)}; pass vars.parameters()`);
}

function readLeaf(who: string, x: Tensor): Leaf {
  if (readTensor(who, "x", x).leaf === null)
    throw new ValueError(who, `only variables can be changed, this tensor ${show(x.shape)} is not one; make it with variable()`);
  return x as Leaf;
}

/** The values as an array with as many numbers as x has. */
function readValues(who: string, values: Tensor | ArrayLike<number>, x: Tensor): ArrayLike<number> {
  const source = values instanceof Tensor ? values.data : readNumbers(who, "values", values);
  if (values instanceof Tensor && !sameShape(values.shape, x.shape))
    throw new ShapeError(who, `values ${show(values.shape)} must have the shape of the variable, ${show(x.shape)}`);
  if (source.length !== x.size) throw new ShapeError(who, `${source.length} values for a variable ${show(x.shape)} of ${x.size}`);
  return source;
}

/**
 * Applies an update of an optimizer: `change` rewrites the numbers in place from the gradient. Then clears the
 * gradient.
 */
export function applyGradient(x: Tensor, change: (numbers: Numbers, gradient: Numbers) => void): void {
  const gradient = gradientOf(x);
  if (gradient === null) return;
  change(x.data, gradient);
  x.lifetime.version++;
  x.leaf!.filled = false;
}

/**
 * Overwrites the numbers of a variable in place.
 * @param x - a variable
 * @param values - as many numbers as x has
 * @throws ShapeError if the number of values differs, ValueError if x is not a variable.
 * @example
 * const w = variable(tensor([1, 2]));
 * assign(w, [5, 6]);
 * console.log(w); //=> Tensor [2] 5 6
 */
export function assign(x: Tensor, values: Tensor | ArrayLike<number>): void {
  readTensor("assign", "x", x);
  const source = readValues("assign", values, x);
  readLeaf("assign", x);
  const watch = watching.now;
  if (watch !== null && !watch.assigned.has(x)) watch.assigned.set(x, x.data.slice());
  x.data.set(source);
  x.lifetime.version++;
}

import { inArena, isInArena, readFunction, TENSOR_BRAND } from "../kernels/index.ts";
import { refuseTensor } from "./arguments.ts";
import { keep, refusePromise } from "./autograd.ts";
import { Tensor } from "./tensor.ts";

/**
 * Runs one step of work, such as a training step, and returns the result of `fn`. Tensors made inside use memory that
 * the next step reuses, so a long run allocates nothing. They are readable until the next step begins.
 * Tensors that `fn` returns are copied and stay readable, also in lists and plain objects at any depth. A nested step
 * belongs to the outer step. `fn` must not be async.
 * @param fn - a synchronous function
 * @returns what `fn` returns, with copies of its tensors
 * @throws ValueError if `fn` is async.
 * @example
 * const x = variable(tensor([3]));
 * const optimizer = sgd([x], { learningRate: 0.1 });
 * const loss = step(() => {
 *   const y = sum(square(x));
 *   backward(y);
 *   optimizer.step();
 *   return y;
 * });
 * console.log(loss.item(), x); //=> 9 Tensor [1] 2.4
 */
export function step<T>(fn: () => T): T {
  readFunction("step", "fn", fn);
  if (isInArena()) return refusePromise("step", fn());
  return inArena(() => kept(refusePromise("step", fn())));
}

/**
 * A list or plain object that `fn` returns, the containers that hold it, and whether it holds a tensor at any depth.
 */
type Container = { readonly value: object; readonly parents: Container[]; holdsTensor: boolean };

/**
 * `value` with its tensors copied, in new lists and objects. Values without tensors, such as numbers or optimizers, are
 * not copied.
 */
function kept<T>(value: T): T;
function kept(value: unknown): unknown {
  const copies = new Map<unknown, unknown>();
  const copyOf = (x: unknown): unknown => {
    if (x instanceof Tensor && !copies.has(x)) copies.set(x, x.leaf === null ? keep(x) : x);
    return copies.has(x) ? copies.get(x) : x;
  };
  const holders = containersOf(value).filter((container) => container.holdsTensor);
  for (const { value: old } of holders) copies.set(old, Array.isArray(old) ? new Array(old.length) : {});
  for (const { value: old } of holders) {
    const copy = copies.get(old) as object;
    for (const [key, item] of Object.entries(old))
      Object.defineProperty(copy, key, { value: copyOf(item), writable: true, enumerable: true, configurable: true });
  }
  return copyOf(value);
}

/**
 * Every list and plain object inside `value`. Loops instead of recursion: lists may be deep and may contain themselves.
 */
function containersOf(value: unknown): Container[] {
  const found = new Map<object, Container>();
  const visit = (x: unknown, parent: Container | null): void => {
    if (x instanceof Tensor) {
      if (parent !== null) parent.holdsTensor = true;
      return;
    }
    if (typeof x !== "object" || x === null) return;
    if (TENSOR_BRAND in x) refuseTensor("step", "what fn returns", x);
    const known = found.get(x);
    if (known !== undefined) {
      if (parent !== null) known.parents.push(parent);
    } else if (isPlain(x)) found.set(x, { value: x, parents: parent === null ? [] : [parent], holdsTensor: false });
  };
  visit(value, null);
  // `visit` adds containers to `found` during the loop.
  for (const container of found.values()) for (const item of Object.values(container.value)) visit(item, container);
  const holders = [...found.values()].filter((container) => container.holdsTensor);
  for (const holder of holders) {
    for (const parent of holder.parents) {
      if (parent.holdsTensor) continue;
      parent.holdsTensor = true;
      holders.push(parent);
    }
  }
  return [...found.values()];
}

/** True for a list or an object literal without getters and functions. `step` searches only these for tensors. */
function isPlain(value: object): boolean {
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(Object.getOwnPropertyDescriptors(value)).every(({ get, value: v }) => !get && typeof v !== "function");
}

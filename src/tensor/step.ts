import { inArena, isInArena } from "../kernels/index.ts";
import { refusePromise } from "./autograd.ts";
import { keep, Tensor } from "./tensor.ts";

/**
 * One step of work, such as a training step. Tensors made inside live in memory that is used again two steps later, so a long run
 * allocates nothing; they stay readable until the step after the next begins. What `fn` returns (a tensor, or lists and plain objects of
 * them) is kept for good. A step inside a step joins the outer one: what it returns is the outer step's. `fn` must not be async.
 */
export function step<T>(fn: () => T): T {
  if (isInArena()) return refusePromise("step", fn());
  return inArena(() => kept(refusePromise("step", fn())));
}

function kept<T>(value: T): T;
function kept(value: unknown): unknown {
  if (value instanceof Tensor) return value.leaf === null ? keep(value) : value;
  if (!holdsTensors(value)) return value; // as it is: a number, an optimizer, an object of the user's
  if (Array.isArray(value)) return value.map((item) => kept(item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, kept(item)]));
}

/** Whether a list or plain object has tensors in it, at any depth. Getters and functions are left alone, and a cycle is walked once. */
function holdsTensors(value: unknown, seen: Set<unknown> = new Set()): value is object {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  if (Object.values(Object.getOwnPropertyDescriptors(value)).some(({ get, value: v }) => get || typeof v === "function"))
    return false;
  seen.add(value);
  return Object.values(value).some((item) => item instanceof Tensor || holdsTensors(item, seen));
}

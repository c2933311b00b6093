import { inArena, isInArena } from "../kernels/index.ts";
import { refusePromise } from "./autograd.ts";
import { keep, Tensor } from "./tensor.ts";

/**
 * One step of work, such as a training step. Tensors made inside live in memory that is used again two steps later, so a long run
 * allocates nothing; they stay readable until the next step ends. What `fn` returns (a tensor, or lists and plain objects of them) is
 * kept for good. A step inside a step joins the outer one: what it returns is the outer step's. `fn` must not be async.
 */
export function step<T>(fn: () => T): T {
  if (isInArena()) return refusePromise("step", fn());
  return inArena(() => kept(refusePromise("step", fn())));
}

function kept<T>(value: T): T;
function kept(value: unknown): unknown {
  if (value instanceof Tensor) return value.leaf === null ? keep(value) : value;
  if (Array.isArray(value)) return value.map((item) => kept(item));
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, kept(item)]));
  }
  return value;
}

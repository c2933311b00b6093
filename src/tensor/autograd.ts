import { kernels } from "../backends/index.ts";
import {
  alloc,
  allocLasting,
  describe,
  GradientError,
  type Lifetime,
  lasting,
  lifetimeNow,
  type Numbers,
  readBoolean,
  readFunction,
  readObject,
  readOptions,
  readText,
  release,
  ShapeError,
  ValueError,
} from "../kernels/index.ts";
import { readTensor, readTensors } from "./arguments.ts";
import { checkShape, type Shape, sameShape, show, sizeOf } from "./shape.ts";
import { type Attributes, type History, type Into, type Pullback, Tensor } from "./tensor.ts";
import { watching } from "./watch.ts";

let recording = true;
let order = 0;
let walks = 0;

/** Whether ops are being recorded: false inside `noGrad`. */
export function isRecording(): boolean {
  return recording;
}

/**
 * Returns the result of an op as a tensor. If an input is tracked, the tensor gets a history with the pullback. If the
 * numbers are a view of an input, pass `input.lifetime`: the result then ends with the input. For ops of the library;
 * `recordOp` is the public `record`.
 */
export function record(
  op: string,
  attributes: Attributes,
  inputs: readonly Tensor[],
  shape: Shape,
  numbers: Numbers,
  pullback: Pullback,
  lifetime: Lifetime = lifetimeNow(),
): Tensor {
  const y = new Tensor(shape, numbers, lifetime);
  if (recording && inputs.some((x) => x.history !== null)) y.history = historyOf(op, attributes, inputs, pullback);
  else if (watching.now !== null) noteSource(y, op, attributes, inputs);
  return y;
}

/**
 * Returns the result of a custom op as a tensor that is tracked if an input is tracked.
 * @param op - the name of the op, for messages and graphs
 * @param attributes - the attributes of the op, for graphs
 * @param inputs - the tensors that the op read
 * @param shape - the shape of the result
 * @param numbers - the computed values in row-major order
 * @param pullback - writes the gradients of the inputs, see `Pullback` and `Into`
 * @param lifetime - the `lifetime` of an input, if `numbers` is a view of this input (default: that of a new array)
 * @throws ValueError for arguments of the wrong kind, ShapeError if the shape does not hold the numbers.
 * @example
 * const x = variable(tensor([1, 2]));
 * const y = record("double", {}, [x], [2], x.data.map((v) => 2 * v), (dy, into) => {
 *   into(x, (dx, accumulate) => dy.forEach((v, i) => (dx[i] = 2 * v + (accumulate ? dx[i]! : 0))));
 * });
 * backward(sum(y));
 * console.log(y, x.grad); //=> Tensor [2] 2 4 Tensor [2] 2 2
 */
export function recordOp(
  op: string,
  attributes: Attributes,
  inputs: readonly Tensor[],
  shape: Shape,
  numbers: Numbers,
  pullback: Pullback,
  lifetime: Lifetime = lifetimeNow(),
): Tensor {
  readText("record", "op", op);
  readObject("record", "attributes", attributes);
  readTensors("record", "inputs", inputs);
  checkShape("record", shape);
  if (!(numbers instanceof Float32Array))
    throw new ValueError("record", `numbers must be a Float32Array, got ${describe(numbers)}`);
  if (numbers.length !== sizeOf(shape))
    throw new ShapeError("record", `${numbers.length} numbers do not fill shape ${show(shape)}, which holds ${sizeOf(shape)}`);
  readFunction("record", "pullback", pullback);
  if (typeof readObject("record", "lifetime", lifetime).version !== "number")
    throw new ValueError("record", "lifetime must be left out, or the lifetime of an input whose numbers are shared");
  const y = record(op, attributes, inputs, [...shape], numbers, pullback, lifetime);
  watching.now?.users?.set(y, null); // in a trace: notes that the op is a user's, see `Watch`
  return y;
}

/** If a watch is active (watch.ts), notes the op and the inputs of an untracked tensor. */
export function noteSource(y: Tensor, op: string, attributes: Attributes, inputs: readonly Tensor[]): void {
  watching.now?.sources.set(y, { order: order++, op, attributes, inputs: inputs.slice() });
}

/** @internal */
export function historyOf(op: string, attributes: Attributes, inputs: readonly Tensor[], pullback: Pullback | null): History {
  const [own, versions] = [inputs.slice(), versionsOf(inputs)]; // a copy, because the user may change the list later
  return { order: order++, op, attributes, inputs: own, pullback, versions, shared: false, gradient: null, seen: 0 };
}

/** The sum of the versions of the inputs. Versions only grow, so the sum changes if an input changes. */
function versionsOf(inputs: readonly Tensor[]): number {
  let sum = 0;
  for (const x of inputs) sum += x.version;
  return sum;
}

/**
 * Returns x without its history, so no gradient flows to x. Shares the numbers of x.
 * @param x - any shape
 * @example
 * const x = variable(tensor([3]));
 * backward(sum(mul(x, stopGradient(x))));
 * console.log(x.grad); //=> Tensor [1] 3
 */
export function stopGradient(x: Tensor): Tensor {
  readTensor("stopGradient", "x", x);
  const y = new Tensor(x.shape, x.data, x.lifetime);
  if (watching.now !== null) noteSource(y, "stopGradient", {}, [x]);
  return y;
}

/**
 * Returns a copy of x that has no history and stays readable after the step.
 * @param x - any shape
 * @example
 * let y = zeros([1]);
 * step(() => {
 *   y = keep(square(tensor([3])));
 * });
 * console.log(y); //=> Tensor [1] 9
 */
export function keep(x: Tensor): Tensor {
  readTensor("keep", "x", x);
  const y = new Tensor(x.shape, new Float32Array(x.data), lasting());
  if (watching.now?.users) noteSource(y, "keep", {}, [x]); // only a trace needs copies
  return y;
}

/**
 * Runs `fn` without recording history, for evaluation. `fn` must not be async: code that runs while `fn` waits would
 * not be recorded.
 * @param fn - a synchronous function
 * @returns what `fn` returns
 * @throws ValueError if `fn` is async.
 * @example
 * const x = variable(tensor([3]));
 * console.log(noGrad(() => square(x)).tracked); //=> false
 */
export function noGrad<T>(fn: () => T): T {
  readFunction("noGrad", "fn", fn);
  const before = recording;
  recording = false;
  try {
    return refusePromise("noGrad", fn());
  } finally {
    recording = before;
  }
}

/** Whether a value is a promise, or anything else that `await` waits for. */
export function isThenable(result: unknown): boolean {
  return typeof result === "object" && result !== null && "then" in result && typeof result.then === "function";
}

/** Throws if a synchronous function returned a promise. */
export function refusePromise<T>(who: string, result: T): T {
  if (isThenable(result)) {
    Promise.resolve(result).catch(() => undefined);
    throw new ValueError(who, `the function must not be async; await outside, and call ${who} with what was awaited`);
  }
  return result;
}

/**
 * Computes the gradient of y for every leaf x and adds it to `x.grad`. Gradients of several calls add up until the
 * optimizer's step or `zeroGrad` clears them.
 * Frees the history of y, so a second call is an error, unless `retain` is set.
 * @param y - the loss, or any tensor that was computed from a variable
 * @param upstream - ∂loss/∂y, with the shape of y. May be left out if y is a single number.
 * @throws GradientError if y has no history, its history was freed, or an input was changed after an op read it.
 * @example
 * const x = variable(tensor([1, 2]));
 * backward(sum(square(x)));
 * console.log(x.grad); //=> Tensor [2] 2 4
 */
export function backward(
  y: Tensor,
  upstream?: Tensor,
  options?: {
    /** Keeps the history of y for another call (default false). */
    readonly retain?: boolean;
  },
): void {
  const retain = readRetain("backward", y, upstream, options);
  walk("backward", y, upstream, retain, null);
}

/**
 * Returns ∂y/∂x for each x of `xs`; zeros if y does not depend on x. Does not change `grad`. Frees the history of y
 * unless `retain` is set. Gradients are of first order only: they have no history.
 * @param y - the loss, or any tensor that was computed from a variable
 * @param xs - tracked tensors
 * @param upstream - ∂loss/∂y, with the shape of y. May be left out if y is a single number.
 * @throws GradientError as `backward`, or if a tensor of `xs` is not tracked.
 * @example
 * const x = variable(tensor([1, 2]));
 * const [dx] = gradients(sum(square(x)), [x]);
 * console.log(dx); //=> Tensor [2] 2 4
 */
export function gradients(
  y: Tensor,
  xs: readonly Tensor[],
  upstream?: Tensor,
  options?: {
    /** Keeps the history of y for another call (default false). */
    readonly retain?: boolean;
  },
): Tensor[] {
  const retain = readRetain("gradients", y, upstream, options);
  readTensors("gradients", "xs", xs);
  const wanted = new Map<History, Numbers | null>();
  for (const [i, x] of xs.entries()) {
    if (x.history === null)
      throw new GradientError("gradients", `input ${i} ${show(x.shape)} is not tracked; wrap it in variable()`);
    wanted.set(x.history, null);
  }
  walk("gradients", y, upstream, retain, wanted);
  return xs.map((x) => new Tensor(x.shape, wanted.get(x.history!) ?? new Float32Array(x.size), lasting()));
}

/** Checks the arguments of `backward` and `gradients`. Returns the option `retain`. */
function readRetain(
  who: string,
  y: Tensor,
  upstream: Tensor | undefined,
  options: { readonly retain?: boolean } | undefined,
): boolean {
  readTensor(who, "y", y);
  if (upstream !== undefined) readTensor(who, "upstream", upstream);
  return readBoolean(who, "retain", readOptions(who, options, ["retain"]).retain ?? false);
}

/**
 * Runs the pullbacks of all tensors that y depends on, newest first. When a tensor's turn comes, its gradient is
 * complete, because all ops that read the tensor are newer. After its turn, later gradients use the memory of its
 * gradient. `wanted` null: leaves keep their gradients. Otherwise the walk fills in the gradients of the histories in
 * `wanted`, and leaves stay as they are.
 */
function walk(
  who: string,
  y: Tensor,
  upstream: Tensor | undefined,
  retain: boolean,
  wanted: Map<History, Numbers | null> | null,
  visit: ((x: Tensor) => boolean) | null = null,
): void {
  const seed = seedOf(who, y, upstream);
  const tensors = reachable(who, y);
  push(y, wanted === null, (dy, accumulate) => kernels.axpy(1, seed, dy, accumulate));
  let current: Numbers | null = null; // the argument of the running pullback, null once it is the gradient of an input
  const into: Into = (x, write) => push(x, wanted === null, write);
  into.partly = (x, write) =>
    push(x, wanted === null, (dx, accumulate) => {
      if (!accumulate) dx.fill(0);
      write(dx);
    });
  into.same = (x, dy) => {
    const lasts = wanted === null && x.leaf !== null; // a leaf keeps its gradient, so it needs a buffer of its own
    if (x.history !== null && x.history.gradient === null && !lasts && dy === current) {
      x.history.gradient = dy; // not a copy: no other code reads dy after this
      current = null;
    } else into(x, (dx, accumulate) => kernels.axpy(1, dy, dx, accumulate));
  };
  for (const x of tensors) {
    const { history, leaf } = x;
    const dy = history!.gradient;
    history!.gradient = null;
    // A copy, because later gradients use the memory of dy.
    if (wanted?.has(history!)) wanted.set(history!, dy?.slice() ?? null);
    current = dy;
    if (dy !== null && leaf === null) history!.pullback!(dy, into);
    if (leaf === null && visit?.(x)) return;
    if (current !== null) release(current);
    if (leaf !== null || retain || history!.shared) continue;
    history!.pullback = null;
    history!.inputs = [];
  }
}

/**
 * Runs the pullbacks back from y. Does not change the gradients of leaves, and keeps the history. After the pullback of
 * each tensor x, calls `visit`, which may read the gradients summed so far for the inputs of x. Stops if `visit`
 * returns true.
 */
export function walkBack(y: Tensor, visit: (x: Tensor, gradientOf: (input: Tensor) => Numbers | null) => boolean): void {
  walk("backward", y, undefined, true, new Map(), (x) => visit(x, (input) => input.history?.gradient ?? null));
}

/**
 * Makes `backward` keep the history of x and of the tensors that x was computed from. Use it for a result that several
 * graphs read. `backward` throws if an input was changed after an op read it.
 */
export function shareHistory(x: Tensor): void {
  if (x.history === null || x.leaf !== null || x.history.shared) return;
  x.history.shared = true;
  x.history.inputs.forEach(shareHistory);
}

/**
 * Calls `write` with the buffer for the gradient of x, if x is tracked. If `collect` is true, a leaf has a lasting
 * buffer. Otherwise the buffer comes from `alloc` at the first contribution. `accumulate` is false for the first
 * contribution.
 */
function push(x: Tensor, collect: boolean, write: (dx: Numbers, accumulate: boolean) => void): void {
  const { history, leaf } = x;
  if (history === null) return;
  if (collect && leaf !== null) {
    leaf.buffer ??= allocLasting(x.size);
    write(leaf.buffer, leaf.filled);
    leaf.filled = true;
  } else if (history.gradient === null) {
    history.gradient = alloc(x.size);
    write(history.gradient, false);
  } else {
    write(history.gradient, true);
  }
}

function seedOf(who: string, y: Tensor, upstream: Tensor | undefined): Numbers {
  if (y.history === null) {
    throw new GradientError(
      who,
      `y ${show(y.shape)} has no history: no input was a variable, or it was computed inside noGrad or kept`,
    );
  }
  if (upstream === undefined) {
    if (y.size !== 1) {
      throw new GradientError(
        who,
        `y ${show(y.shape)} is not a single number; reduce it with mean() or sum(), or give the upstream gradient`,
      );
    }
    return new Float32Array([1]);
  }
  if (!sameShape(upstream.shape, y.shape)) {
    throw new ShapeError(who, `upstream ${show(upstream.shape)} must have the shape of y ${show(y.shape)}`);
  }
  return upstream.data;
}

/**
 * Returns y and every tracked tensor that y depends on, newest first. Throws if their memory was recycled, their
 * history was freed, or their inputs were changed.
 */
function reachable(who: string, y: Tensor): Tensor[] {
  const walkNumber = ++walks;
  const found = [y];
  y.history!.seen = walkNumber;
  for (let i = 0; i < found.length; i++) {
    const x = found[i]!;
    const { op, inputs, pullback, versions } = x.history!;
    x.data; // the getter throws if the memory was recycled
    x.history!.gradient = null; // a walk that threw may have left a gradient
    if (x.leaf !== null) continue;
    if (pullback === null) {
      throw new GradientError(
        who,
        `the history of ${op} ${show(x.shape)} was used and freed by an earlier backward; add the losses and go back once, or pass retain`,
      );
    }
    if (versionsOf(inputs) !== versions) {
      throw new GradientError(
        who,
        `an input of ${op} ${show(x.shape)} was changed after ${op} had read it; go back before assign() or the optimizer's step`,
      );
    }
    for (const input of inputs) {
      if (input.history === null || input.history.seen === walkNumber) continue;
      input.history.seen = walkNumber;
      found.push(input);
    }
  }
  return found.sort((a, b) => b.history!.order - a.history!.order);
}

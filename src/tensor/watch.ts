import type { Numbers } from "../kernels/index.ts";
import type { Attributes, Tensor } from "./tensor.ts";

/** How a tensor was made, whether or not gradients flow to it. */
export type Source = {
  readonly order: number;
  readonly op: string;
  readonly attributes: Attributes;
  readonly inputs: readonly Tensor[];
};

/** What a watched step leaves behind besides its history. Both maps die with the step. */
export type Watch = {
  /** The ops whose results are not tracked. */
  readonly sources: Map<Tensor, Source>;
  /** The variables that `assign` changed, with their numbers from before. */
  readonly assigned: Map<Tensor, Numbers>;
  /**
   * Only in a trace: the results of users' ops. For `customGradient` the tensor that its forward function made, for
   * `record` null, since nothing is known of it.
   */
  readonly users: Map<Tensor, Tensor | null> | null;
  /** The number of the trace, 0 in a watch that is none. */
  readonly trace: number;
};

/** The watch of the function that runs, null if no function is watched. Ops ask for it each time. */
export const watching: { now: Watch | null } = { now: null };

let traces = 0;

/**
 * The number of the trace that runs; 0 outside a trace. A tensor that is kept from before a trace has no source in it.
 */
export function traceNow(): number {
  return watching.now?.trace ?? 0;
}

/**
 * Runs `fn` and notes what `firstFault` needs: a Map entry for each op that is not tracked, a copy of each assigned
 * variable. With `tracing` also what a graph needs: copies by `keep`, and users' ops.
 */
export function watched<T>(fn: (watch: Watch) => T, tracing = false): T {
  const before = watching.now;
  const users = tracing ? new Map<Tensor, Tensor | null>() : null;
  const watch: Watch = { sources: new Map(), assigned: new Map(), users, trace: tracing ? ++traces : 0 };
  watching.now = watch;
  try {
    return fn(watch);
  } finally {
    watching.now = before;
  }
}

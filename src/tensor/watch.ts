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
};

/** The watch of the function that runs, null if nobody watches. Ops ask for it each time. */
export const watching: { now: Watch | null } = { now: null };

/** Runs `fn` and notes what `firstFault` needs: a Map entry for each op that is not tracked, a copy of each assigned variable. */
export function watched<T>(fn: (watch: Watch) => T): T {
  const before = watching.now;
  const watch: Watch = { sources: new Map(), assigned: new Map() };
  watching.now = watch;
  try {
    return fn(watch);
  } finally {
    watching.now = before;
  }
}

/** Base class of every error of the library. The message starts with the function that complains and ends with the remedy. */
export class HashgradError extends Error {
  constructor(
    who: string,
    what: string,
    { between = ": ", cause }: { readonly between?: string; readonly cause?: unknown } = {},
  ) {
    super(`${who}${between}${what}`, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}

/** Shapes, axes or indices that do not fit an op. */
export class ShapeError extends HashgradError {}

/** A gradient that cannot be computed: no scalar, no history, history used up. */
export class GradientError extends HashgradError {}

/** Numbers that are read after their memory was given back. */
export class RecycledError extends HashgradError {}

/** A value of the wrong kind or out of its range, or options that contradict each other. */
export class ValueError extends HashgradError {}

/** A request for memory that cannot be met. */
export class MemoryError extends HashgradError {}

/** The kernels of a backend failed: a worker thread trapped or stopped. */
export class BackendError extends HashgradError {}

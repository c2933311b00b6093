/**
 * The base class of all errors of the library. The message starts with the name of the function and ends with the
 * remedy.
 */
export class HashgradError extends Error {
  /**
   * @param who - the function that throws; the message starts with this name
   * @param what - the rule and the remedy
   * @param options - optional settings
   */
  constructor(
    who: string,
    what: string,
    {
      between = ": ",
      cause,
    }: {
      /** Separates both parts of the message (default ": "). */
      readonly between?: string;
      /** The original error (default none). */
      readonly cause?: unknown;
    } = {},
  ) {
    super(`${who}${between}${what}`, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}

/** Shapes, axes or indices do not fit an op. */
export class ShapeError extends HashgradError {}

/** A gradient cannot be computed: y is not a scalar, has no history, or its history is used up. */
export class GradientError extends HashgradError {}

/** A tensor was read after its memory was given back. */
export class RecycledError extends HashgradError {}

/** A value has the wrong kind or is out of range, or options contradict each other. */
export class ValueError extends HashgradError {}

/** A request for memory cannot be met. */
export class MemoryError extends HashgradError {}

/** The kernels of a backend failed: a worker thread trapped or stopped. */
export class BackendError extends HashgradError {}

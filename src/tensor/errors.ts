/** What every error of the library is: its message starts with who complains and ends with what to do. */
export class HashgradError extends Error {
  constructor(who: string, what: string, between = ": ") {
    super(`${who}${between}${what}`);
    this.name = new.target.name;
  }
}

/** Shapes, axes or indices that do not fit an op. */
export class ShapeError extends HashgradError {}

/** A gradient that cannot be computed: no scalar, no history, history used up. */
export class GradientError extends HashgradError {}

/** Numbers that are read after their memory was given back. */
export class RecycledError extends HashgradError {}

/** A value that is out of its range, or options that contradict each other. */
export class ValueError extends HashgradError {}

/** Throws unless a value is a whole number of at least `least`. */
export function checkCount(who: string, name: string, value: number, least: number): void {
  if (!(Number.isInteger(value) && value >= least))
    throw new ValueError(who, `${name} must be a whole number of at least ${least}, got ${value}`);
}

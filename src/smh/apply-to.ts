import { checkLengths, describe, readText, type Shape, ValueError } from "../tensor/index.ts";

/**
 * Selects the variables that come from the pool. A string is a pattern that must match at the start of the name, as in
 * the reference code. A RegExp is searched in the name. A function returns a boolean. Default: kernels and matrices,
 * that is all variables with two axes or more.
 */
export type ApplyTo = string | RegExp | ((name: string, shape: Shape) => boolean);

/**
 * Returns the predicate that `applyTo` describes.
 * @param applyTo - a pattern, a RegExp or a function (default: kernels and matrices)
 * @example
 * const isPooled = selector(".*kernel");
 * console.log(isPooled("conv/kernel", [3, 3, 1, 8]), isPooled("conv/bias", [8])); //=> true false
 */
export function selector(applyTo?: ApplyTo | null): (name: string, shape: Shape) => boolean {
  const takes = selectorOf("selector", applyTo);
  return (name, shape) => {
    readText("selector", "name", name);
    checkLengths("selector", shape);
    return takes(name, shape);
  };
}

/** The same for checked names and shapes. `who` is the function that got `applyTo`. */
export function selectorOf(who: string, applyTo: ApplyTo | null | undefined): (name: string, shape: Shape) => boolean {
  if (applyTo === undefined || applyTo === null) return (_, shape) => shape.length >= 2;
  if (typeof applyTo === "function") return applyTo;
  if (typeof applyTo !== "string" && !(applyTo instanceof RegExp))
    throw new ValueError(who, `applyTo must be a string, a RegExp or a function, got ${describe(applyTo)}`);
  const pattern =
    typeof applyTo === "string" ? anchored(who, applyTo) : new RegExp(applyTo.source, applyTo.flags.replace(/[gy]/g, ""));
  return (name) => pattern.test(name);
}

function anchored(who: string, source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})`);
  } catch (error) {
    throw new ValueError(
      who,
      `applyTo ${JSON.stringify(source)} is no regular expression: ${error instanceof Error ? error.message : error}`,
    );
  }
}

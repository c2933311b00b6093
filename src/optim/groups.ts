import {
  type Bounds,
  describe,
  type Parameter,
  readBoolean,
  readList,
  readNumber,
  readObject,
  readOptions,
  ValueError,
} from "../tensor/index.ts";

/**
 * Settings for some parameters: a rate, a rate factor or a weight decay. The default of each setting is that of the
 * optimizer.
 */
export type ParameterGroup = {
  /** The parameters of the group: a prefix of names, a RegExp to search in names, or a predicate. */
  readonly match: string | RegExp | ((parameter: Parameter) => boolean);
  /** The rate of dense weights (default: the optimizer's). Numbers of a pool use the rate times their `rateFactor`. */
  readonly learningRate?: number;
  /** Scales the rate (default: 15 for numbers of a pool, else 1). 1 uses `learningRate` unscaled. */
  readonly rateFactor?: number;
  /** Applies to every parameter of the group, biases included (default: the optimizer's, which excludes biases). */
  readonly weightDecay?: number;
};

/** The rate and the decay of one parameter. */
export type Setting = {
  /** Of the step along the gradient: the learning rate times the rate factor. */
  readonly rate: number;
  /**
   * Divided by the rate factor, so that rate · decay, by which weights shrink, is the same for a pool as for dense
   * weights.
   */
  readonly decay: number;
};

export const AT_LEAST_0: Bounds = { least: 0 };
export const ABOVE_0: Bounds = { above: 0 };
const KEYS = ["match", "learningRate", "rateFactor", "weightDecay"] as const;

/**
 * The setting of each parameter. The first group that matches a parameter applies.
 * @throws ValueError if a group matches no parameter.
 */
export function settingsOf(
  who: string,
  parameters: readonly Parameter[],
  all: { readonly learningRate: number; readonly weightDecay: number; readonly groups: readonly ParameterGroup[] },
): Setting[] {
  readNumber(who, "learningRate", all.learningRate, AT_LEAST_0);
  readNumber(who, "weightDecay", all.weightDecay, AT_LEAST_0);
  const groups = readList(who, "groups", all.groups).map((group, i) => readGroup(who, `groups[${i}]`, group));
  const used = new Set<ParameterGroup>();
  const settings = parameters.map((parameter) => {
    const found = groups.find(({ takes }) => takes(parameter))?.group;
    if (found !== undefined) used.add(found);
    const factor = found?.rateFactor ?? parameter.rateFactor ?? 1;
    const decay = found?.weightDecay ?? (parameter.decay ? all.weightDecay : 0);
    return { rate: (found?.learningRate ?? all.learningRate) * factor, decay: decay / factor };
  });
  for (const [i, { group }] of groups.entries()) {
    if (used.has(group)) continue;
    const names = parameters.slice(0, 8).map(({ name }) => name);
    throw new ValueError(
      who,
      `groups[${i}] gets none of the parameters (${names.join(", ")}${parameters.length > 8 ? ", …" : ""}); ` +
        "a string must be the start of a name, and the first group that matches a parameter takes it",
    );
  }
  return settings;
}

type ReadGroup = { readonly group: ParameterGroup; readonly takes: (parameter: Parameter) => boolean };

function readGroup(who: string, name: string, given: ParameterGroup): ReadGroup {
  const group = readOptions(who, readObject(who, name, given), KEYS);
  const { learningRate, rateFactor, weightDecay } = group;
  if (learningRate !== undefined) readNumber(who, `${name}.learningRate`, learningRate, AT_LEAST_0);
  if (rateFactor !== undefined) readNumber(who, `${name}.rateFactor`, rateFactor, ABOVE_0);
  if (weightDecay !== undefined) readNumber(who, `${name}.weightDecay`, weightDecay, AT_LEAST_0);
  return { group: { ...group }, takes: readMatch(who, `${name}.match`, group.match) };
}

function readMatch(who: string, name: string, match: ParameterGroup["match"]): (parameter: Parameter) => boolean {
  if (typeof match === "string") return (parameter) => parameter.name.startsWith(match);
  if (match instanceof RegExp) {
    // Without the flags g and y, with which a RegExp remembers its last position.
    const pattern = new RegExp(match.source, match.flags.replace(/[gy]/g, ""));
    return (parameter) => pattern.test(parameter.name);
  }
  if (typeof match !== "function")
    throw new ValueError(who, `${name} must be a string, a RegExp or a function, got ${describe(match)}`);
  return (parameter) => readBoolean(who, `what ${name} returns`, match(parameter));
}

import { kernels } from "../backends/index.ts";
import { allocLasting, type Numbers } from "../kernels/index.ts";
import {
  applyGradient,
  describe,
  type Parameter,
  readBoolean,
  readCount,
  readFunction,
  readList,
  readNumber,
  readNumbers,
  readObject,
  readOptions,
  readTensor,
  readText,
  ShapeError,
  Tensor,
  ValueError,
  zeroGrad,
} from "../tensor/index.ts";
import { ABOVE_0, AT_LEAST_0, type ParameterGroup, settingsOf } from "./groups.ts";
import { constant, type Schedule } from "./schedules.ts";

/** Changes parameters by their gradients. */
export type Optimizer = {
  /** The parameters, each variable once. */
  readonly parameters: readonly Parameter[];
  /**
   * Updates the parameters from the gradients that `backward` added up, then clears these gradients. Parameters without
   * a gradient do not change.
   */
  readonly step: () => void;
  /** Discards the gradients. */
  readonly zeroGrad: () => void;
  /** The number of steps so far. */
  readonly steps: number;
  /**
   * The state that the next step depends on, besides the parameters: live arrays by name. `restore` continues from a
   * saved state.
   */
  readonly state: () => { steps: number; arrays: Map<string, Numbers> };
  /**
   * Continues from a saved state. Throws before anything changes if the state belongs to another model or optimizer.
   */
  readonly restore: (saved: { steps: number; arrays: ReadonlyMap<string, ArrayLike<number>> }) => void;
};

/** Options of all optimizers. */
export type OptimizerOptions = {
  /**
   * The rate of dense weights. Numbers of a pool use the rate times their `rateFactor`. The default is the optimizer's.
   */
  readonly learningRate?: number;
  /** Multiplies the rate (default: constant). */
  readonly schedule?: Schedule;
  /** λ, which shrinks weights towards 0 (default 0). Biases, norms and scales are excluded. */
  readonly weightDecay?: number;
  /** Parameters with their own rate or decay (default none). The first group that matches a parameter applies. */
  readonly groups?: readonly ParameterGroup[];
};

/** The parameters of an optimizer: from `vars.parameters()`, or variables from `variable()`. */
export type Trained = readonly (Parameter | Tensor)[];

/** The parameters, each variable once. A variable by itself is a parameter named by its number, with weight decay. */
export function parametersOf(who: string, trained: Trained): Parameter[] {
  const found = new Map<Tensor, Parameter>();
  for (const [i, one] of readList(who, "parameters, such as vars.parameters(),", trained).entries()) {
    const parameter =
      one instanceof Tensor ? { name: String(i), tensor: one, decay: true } : readParameter(who, `parameters[${i}]`, one);
    if (parameter.tensor.leaf === null)
      throw new ValueError(who, `parameter ${i} is not a variable; make it with variable(), or take vars.parameters()`);
    if (!found.has(parameter.tensor)) found.set(parameter.tensor, parameter);
  }
  return [...found.values()];
}

function readParameter(who: string, name: string, one: Parameter): Parameter {
  const isObject = typeof one === "object" && one !== null && "tensor" in one;
  if (!isObject) {
    if (typeof one === "object" && one !== null && "read" in one)
      throw new ValueError(
        who,
        `${name} is a variable of a model, which may lie in a pool; pass vars.parameters() in place of vars.variables()`,
      );
    readTensor(who, name, one as never);
  }
  readText(who, `${name}.name`, one.name);
  readTensor(who, `${name}.tensor`, one.tensor);
  readBoolean(who, `${name}.decay`, one.decay);
  if (one.rateFactor !== undefined) readNumber(who, `${name}.rateFactor`, one.rateFactor, ABOVE_0);
  return one;
}

/** The options of every optimizer, and an optimizer's own. */
const COMMON = ["learningRate", "schedule", "weightDecay", "groups"] as const;

/** The options of an optimizer; `own` are those that only it has. */
export function readOptimizerOptions<T extends OptimizerOptions>(
  who: string,
  options: T | undefined,
  own: readonly (keyof T & string)[],
): T {
  return readOptions(who, options, [...own, ...COMMON]);
}

/**
 * One parameter's update in place: numbers, gradient, the arrays of its state, the rate, and the count of this step
 * from 1.
 */
export type Update = (numbers: Numbers, gradient: Numbers, state: readonly Numbers[], rate: number, step: number) => void;

/** An optimizer from the update of one parameter and the names of the arrays it remembers. */
export function optimizerOf(
  who: string,
  trained: Trained,
  options: OptimizerOptions,
  {
    learningRate,
    remembers,
    decoupled,
    update,
  }: {
    /** The default. */
    readonly learningRate: number;
    readonly remembers: readonly string[];
    /** Weight decay shrinks the weights themselves (AdamW) rather than joining the gradient. */
    readonly decoupled: boolean;
    readonly update: Update;
  },
): Optimizer {
  const parameters = parametersOf(who, trained);
  const { schedule = constant, weightDecay = 0, groups = [] } = options;
  const settings = settingsOf(who, parameters, { learningRate: options.learningRate ?? learningRate, weightDecay, groups });
  readFunction(who, "schedule", schedule);
  checkNames(who, parameters);
  const memory = new Map(parameters.map(({ tensor }) => [tensor, remembers.map(() => allocLasting(tensor.size))]));
  const arrays = (): Map<string, Numbers> =>
    new Map(parameters.flatMap(({ name, tensor }) => memory.get(tensor)!.map((array, i) => [`${name}/${remembers[i]!}`, array])));
  let steps = 0;
  return {
    parameters,
    get steps(): number {
      return steps;
    },
    step: (): void => {
      const factor = readFactor(who, steps, schedule(steps));
      steps++;
      for (const [i, parameter] of parameters.entries()) {
        const rate = factor * settings[i]!.rate;
        const lambda = settings[i]!.decay;
        applyGradient(parameter.tensor, (numbers, gradient) => {
          if (lambda > 0 && decoupled) kernels.axpy(1 - rate * lambda, numbers, numbers, false);
          if (lambda > 0 && !decoupled) kernels.axpy(lambda, numbers, gradient, true);
          update(numbers, gradient, memory.get(parameter.tensor)!, rate, steps);
        });
      }
    },
    zeroGrad: (): void => zeroGrad(parameters.map((p) => p.tensor)),
    state: () => ({ steps, arrays: arrays() }),
    restore: (saved): void => {
      const own = arrays();
      checkSaved(who, saved, own);
      for (const [name, array] of own) array.set(saved.arrays.get(name)!);
      steps = saved.steps;
    },
  };
}

/** Throws unless a saved state has an array of the right length for each of the optimizer's own, and no other. */
function checkSaved(who: string, saved: Parameters<Optimizer["restore"]>[0], own: ReadonlyMap<string, Numbers>): void {
  readObject(who, "the saved state", saved);
  if (!(saved.arrays instanceof Map))
    throw new ValueError(who, `the saved state's arrays must be a Map, got ${describe(saved.arrays)}`);
  readCount(who, "the saved state's steps", saved.steps, 0);
  const surplus = [...saved.arrays.keys()].find((name) => !own.has(name));
  if (surplus !== undefined)
    throw new ValueError(who, `the saved state holds "${surplus}"; it belongs to another model or optimizer`);
  for (const [name, array] of own) {
    const numbers = saved.arrays.get(name);
    if (numbers === undefined)
      throw new ValueError(who, `the saved state has no "${name}"; it belongs to another model or optimizer`);
    readNumbers(who, `"${name}"`, numbers);
    if (numbers.length !== array.length)
      throw new ShapeError(who, `"${name}" has ${numbers.length} numbers, need ${array.length}`);
  }
}

/** The factor that a schedule gives for a step, checked before anything changes. */
function readFactor(who: string, step: number, factor: number): number {
  return readNumber(`${who}.step`, `the schedule's factor for step ${step}`, factor, AT_LEAST_0);
}

function checkNames(who: string, parameters: readonly Parameter[]): void {
  const names = new Set<string>();
  for (const { name } of parameters) {
    if (names.has(name))
      throw new ValueError(
        who,
        `two parameters are called "${name}"; give each model its own scope(), and each pool its own name`,
      );
    names.add(name);
  }
  if (parameters.length === 0)
    throw new ValueError(who, "there are no parameters to train; build the model first, then ask for vars.parameters()");
}

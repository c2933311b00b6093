import { allocLasting, kernels, type Numbers } from "../kernels/index.ts";
import { applyGradient, type Parameter, readCount, ShapeError, Tensor, ValueError, zeroGrad } from "../tensor/index.ts";
import { constant, type Schedule } from "./schedules.ts";

/** Changes parameters by their gradients. */
export type Optimizer = {
  readonly parameters: readonly Parameter[];
  /** One update from the gradients that `backward` collected, which are cleared. Parameters without a gradient stay as they are. */
  readonly step: () => void;
  /** Throws the collected gradients away. */
  readonly zeroGrad: () => void;
  /** How many steps were taken. */
  readonly steps: number;
  /** What the next step depends on besides the parameters: live arrays by name. `restore` goes on where another left off. */
  readonly state: () => { steps: number; arrays: Map<string, Numbers> };
  readonly restore: (saved: { steps: number; arrays: ReadonlyMap<string, ArrayLike<number>> }) => void;
};

/** What all optimizers take. */
export type OptimizerOptions = {
  /** Of every parameter, or of each. Left out: what suits each (see the optimizer). */
  readonly learningRate?: number | ((parameter: Parameter) => number);
  /** Multiplies the rate; see schedules (constant). */
  readonly schedule?: Schedule;
  /** λ: pulls weights towards 0; biases, norms and scales are spared (0). */
  readonly weightDecay?: number;
};

/** What an optimizer changes: parameters, as `vars.parameters()` lists them, or variables, as `variable()` makes them. */
export type Trained = readonly (Parameter | Tensor)[];

/** A variable by itself is a parameter named by its number, with weight decay. */
export function parametersOf(who: string, trained: Trained): Parameter[] {
  if (!Array.isArray(trained)) throw new ValueError(who, "needs a list of parameters or variables, such as vars.parameters()");
  return trained.map((one: Parameter | Tensor, i) => {
    const parameter = one instanceof Tensor ? { name: String(i), tensor: one, decay: true } : one;
    if (parameter.tensor?.leaf == null)
      throw new ValueError(who, `parameter ${i} is not a variable; make it with variable(), or take vars.parameters()`);
    return parameter;
  });
}

/** One parameter's update in place: numbers, gradient, the arrays of its state, the rate, and the count of this step from 1. */
export type Update = (numbers: Numbers, gradient: Numbers, state: readonly Numbers[], rate: number, step: number) => void;

/** An optimizer from the update of one parameter and the names of the arrays it remembers. */
export function optimizerOf(
  who: string,
  trained: Trained,
  { learningRate, schedule = constant, weightDecay = 0 }: OptimizerOptions,
  {
    rateOf,
    remembers,
    decoupled,
    update,
  }: {
    readonly rateOf: (parameter: Parameter) => number;
    readonly remembers: readonly string[];
    /** Weight decay shrinks the weights themselves (AdamW) rather than joining the gradient. */
    readonly decoupled: boolean;
    readonly update: Update;
  },
): Optimizer {
  const parameters = parametersOf(who, trained);
  const rates = parameters.map((parameter) => {
    const rate = typeof learningRate === "function" ? learningRate(parameter) : (learningRate ?? rateOf(parameter));
    checkNumber(who, "learningRate", rate, 0);
    return rate;
  });
  checkNumber(who, "weightDecay", weightDecay, 0);
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
      const factor = schedule(steps++);
      for (const [i, parameter] of parameters.entries()) {
        const rate = factor * rates[i]!;
        const lambda = parameter.decay ? weightDecay : 0;
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
      readCount(who, "the saved state's steps", saved.steps, 0);
      const surplus = [...saved.arrays.keys()].find((name) => !own.has(name));
      if (surplus !== undefined)
        throw new ValueError(who, `the saved state holds "${surplus}"; it belongs to another model or optimizer`);
      for (const [name, array] of own) {
        const numbers = saved.arrays.get(name);
        if (numbers === undefined)
          throw new ValueError(who, `the saved state has no "${name}"; it belongs to another model or optimizer`);
        if (numbers.length !== array.length)
          throw new ShapeError(who, `"${name}" has ${numbers.length} numbers, need ${array.length}`);
      }
      for (const [name, array] of own) array.set(saved.arrays.get(name)!);
      steps = saved.steps;
    },
  };
}

/** Throws unless the value is a number of at least `least` and below `end`. */
export function checkNumber(
  who: string,
  name: string,
  value: number,
  least: number,
  end: number = Number.POSITIVE_INFINITY,
): void {
  if (!(value >= least && value < end)) {
    const range = end === Number.POSITIVE_INFINITY ? `at least ${least}` : `at least ${least} and below ${end}`;
    throw new ValueError(who, `${name} must be ${range}, got ${value}`);
  }
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

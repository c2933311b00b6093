import {
  noGrad,
  type Parameter,
  readOptions,
  type Shape,
  sameShape,
  show,
  sizeOf,
  Tensor,
  ValueError,
  zeros,
} from "../tensor/index.ts";
import {
  type CompressionReport,
  type CreateOptions,
  checkRequest,
  DenseVariables,
  defaultInit,
  type Initializer,
  type ModelState,
  onesInit,
  type PooledState,
  readCreator,
  readSeed,
  reportOf,
  sameVariable,
  stateOf,
  type Variable,
  type VariableCreator,
  VariableError,
} from "../variables/index.ts";
import type { ApplyTo } from "./apply-to.ts";
import { PoolError, type Range } from "./index-store.ts";
import { type Modifier, type ModifierContext, modifierKind } from "./modifiers.ts";
import { poolDescription, type VariablePool } from "./pool.ts";
import { type PooledVariable, type PoolRule, type Rule, readRule, readRules } from "./rule.ts";

/** Options of `VariableFactory`: either one pool, or `rules`. */
export type VariableFactoryOptions = {
  /** The pool of the weights. Default: no pool; every variable is dense. */
  readonly pool?: VariablePool | null;
  /** Selects the variables of the pool. Default: kernels and matrices. */
  readonly applyTo?: ApplyTo | null;
  /** Changes each slice before the layer reads it. Default `initializerScaleModifier`; null leaves slices unchanged. */
  readonly modifier?: Modifier | null;
  /**
   * Several pools, instead of `pool`, `applyTo` and `modifier`. The first rule that selects a variable applies (default
   * none).
   */
  readonly rules?: readonly PoolRule[];
  /** Creates variables outside the pools and the variables of modifiers (default: new DenseVariables with `seed`). */
  readonly variables?: VariableCreator;
  /** The seed of dense variables (default 0). */
  readonly seed?: number;
};

/**
 * A variable creator whose variables are slices of pools. Passing a factory to a model compresses the model.
 * Slices are live: after a step of the optimizer, the next read returns the new weights. Variables that are not trained
 * never come from a pool.
 * @throws ValueError if two rules share a pool or a name, or if `rules` is given together with `pool`, `applyTo` or
 * `modifier`.
 * @example
 * const model = (vars: VariableCreator) => toyNetwork(vars);
 * const pool = new ProductVariablePool({ poolSize: poolSizeFor(model), fraction: 0.1 });
 * const vars = new VariableFactory({ pool });
 * model(vars);
 * console.log(vars.report().trainedSize); //=> 2892
 */
export class VariableFactory implements VariableCreator {
  /** The pools of the rules, in their order. */
  readonly pools: readonly VariablePool[];
  readonly #rules: readonly Rule[];
  /** Creates the variables outside the pools. */
  readonly #own: VariableCreator;
  /** The variables of layers by name, pooled and dense. */
  readonly #made = new Map<string, Variable>();
  /** Names of the variables that modifiers created. */
  readonly #scales = new Set<string>();

  constructor(options?: VariableFactoryOptions) {
    const known = ["pool", "applyTo", "modifier", "rules", "variables", "seed"] as const;
    const { pool = null, rules, variables, seed, ...one } = readOptions("VariableFactory", options, known);
    if (rules !== undefined && (pool !== null || one.applyTo !== undefined || one.modifier !== undefined))
      throw new ValueError("VariableFactory", "takes either rules or pool, applyTo and modifier; put these into a rule");
    if (variables !== undefined) readCreator("VariableFactory", "variables", variables);
    readSeed("VariableFactory", seed);
    this.#rules = rules === undefined ? [readRule("VariableFactory", { pool, ...one })] : readRules("VariableFactory", rules);
    this.pools = this.#rules.flatMap(({ pool }) => (pool === null ? [] : [pool]));
    this.#own = variables ?? new DenseVariables({ seed: seed ?? 0 });
  }

  /** The first pool, or null. */
  get pool(): VariablePool | null {
    return this.pools[0] ?? null;
  }

  /**
   * Returns a slice of a pool, a dense variable, or the existing variable if `reuse` is set.
   * @param name - the full name, such as "conv1/kernel"
   * @param shape - the shape of the variable
   */
  create(name: string, shape: Shape, options: CreateOptions = {}): Variable {
    checkRequest(name, shape, options);
    const existing = this.#made.get(name);
    if (existing !== undefined) return sameVariable(existing, shape, options);
    if (this.#scales.has(name) || this.pools.some((pool) => pool.coreVariables.some((core) => core.name === name))) {
      throw new VariableError(name, "is the name of the pool's own numbers or of a modifier's; give the layer another scope()");
    }
    const rule = options.trainable === false ? undefined : this.#rules.find(({ takes }) => takes(name, shape));
    const made = rule?.pool ? this.#fromPool(rule, rule.pool, name, shape, options) : this.#own.create(name, shape, options);
    this.#made.set(name, made);
    return made;
  }

  #fromPool(rule: Rule, pool: VariablePool, name: string, shape: Shape, options: CreateOptions): Variable {
    const modifier = rule.modifier ?? ((slice: Tensor): Tensor => slice);
    const asked = observed(options.init ?? defaultInit(shape));
    const context: ModifierContext = {
      name,
      shape,
      init: asked.init,
      stddev: pool.stddev,
      variable: (suffix, ownShape = [], ownInit = onesInit) => {
        const scaleName = `${name}/${suffix}`;
        if (this.#made.has(scaleName))
          throw new VariableError(scaleName, "is a variable of the model and asked for by the modifier, too");
        this.#scales.add(scaleName);
        return this.#own.create(scaleName, ownShape, { init: ownInit, reuse: true }).read();
      },
    };
    checkFits(rule, pool, name, shape); // before the modifier creates variables, so a full pool changes nothing
    const modify = (slice: Tensor): Tensor => modifier(slice, context);
    const tried = noGrad(() => modify(zeros(shape))); // the modifier creates its variables at this first call
    if (!(tried instanceof Tensor && sameShape(tried.shape, shape))) {
      const made = tried instanceof Tensor ? show(tried.shape) : typeof tried;
      throw new VariableError(
        name,
        `has shape ${show(shape)}, its modifier made ${made} of it; it must return a tensor of that shape`,
      );
    }
    const slice = pool.getSlice(shape);
    rule.made.set(name, { shape: slice.shape, slice, modify, moments: [asked.mean, asked.deviation] });
    return {
      name,
      shape: slice.shape,
      trainable: true,
      storage: "pool",
      read: (): Tensor => {
        const weights = modify(slice.read());
        weights.name ??= name; // for messages; if the modifier returned another variable, that variable keeps its name
        return weights;
      },
      assign: (): void => {
        throw new VariableError(
          name,
          "is a slice of a pool and cannot be assigned; fitPool(vars, weights) fits the pool to given weights",
        );
      },
    };
  }

  /**
   * The variables of layers: those of this factory, and those of the creator `variables`. Leaves out modifiers'
   * variables.
   */
  variables(): readonly Variable[] {
    const elsewhere = this.#own.variables().filter(({ name }) => !this.#made.has(name) && !this.#scales.has(name));
    return [...this.#made.values(), ...elsewhere];
  }

  /**
   * The factors of the pools first, then dense variables and learned scales.
   * @throws ValueError if no variable comes from a pool: no variable exists yet, or `applyTo` selects none.
   */
  parameters(): readonly Parameter[] {
    const empty = this.#rules.find(({ pool, made }) => pool !== null && made.size === 0);
    if (empty !== undefined) {
      if (this.#made.size === 0)
        throw new ValueError(
          "VariableFactory",
          "there are no variables yet; build the model first, then ask for vars.parameters()",
        );
      const names = [...this.#made.keys()].slice(0, 4).join(", ");
      const which = this.#rules.length === 1 ? "applyTo" : `applyTo of rule ${this.#rules.indexOf(empty)} (${empty.shown})`;
      throw new ValueError(
        "VariableFactory",
        `${which} matched none of the ${this.#made.size} variables (${names}, …), so ${this.#rules.length === 1 ? "nothing is compressed" : "its pool is empty"}; a string must match from the start of a name, a RegExp anywhere`,
      );
    }
    return this.#trained();
  }

  #trained(): readonly Parameter[] {
    return [...this.#rules.flatMap(({ core }) => core), ...this.#own.parameters()];
  }

  /**
   * The position of each variable in its pool. It follows from the order of creation. Files record it, and loading
   * compares it.
   */
  placements(): ReadonlyMap<string, readonly (readonly Range[])[]> {
    return new Map(this.#rules.flatMap((rule) => [...placementsOf(rule)]));
  }

  /**
   * Returns the variables of a pool by name. Each has its slice, and a function that applies the modifier to a slice.
   * Empty for a pool of another factory.
   * @param pool - a pool of this factory
   */
  pooled(pool: VariablePool): ReadonlyMap<string, PooledVariable> {
    return this.#rules.find((rule) => rule.pool === pool)?.made ?? new Map();
  }

  /**
   * Returns all that a file must hold to restore the model: trained numbers, the factors of pools that are not trained,
   * and the position of each variable. Kind and options of pools and modifiers are included.
   */
  state(): ModelState {
    const own = stateOf(this.#own);
    const pools = this.#rules.flatMap((rule) => (rule.pool === null ? [] : [pooledState(rule, rule.pool)]));
    const cores = this.pools.flatMap((pool) => pool.coreVariables.map(({ name, tensor }): [string, Tensor] => [name, tensor]));
    const twice = cores.find(([name]) => own.weights.has(name));
    if (twice !== undefined)
      throw new VariableError(twice[0], "is in two pools; give each pool its own name: new ProductVariablePool({ …, name })");
    return { weights: new Map([...cores, ...own.weights]), pools: [...pools, ...own.pools] };
  }

  /** Sizes and the achieved fraction (learned scales and dense variables included), each pool, and warnings. */
  report(): CompressionReport {
    return reportOf({ variables: () => this.variables(), parameters: () => this.#trained(), state: () => this.state() });
  }
}

const placementsOf = ({ made }: Rule): Map<string, readonly (readonly Range[])[]> =>
  new Map([...made].map(([name, { slice }]) => [name, slice.placement]));

function pooledState(rule: Rule, pool: VariablePool): PooledState {
  const { made, modifier } = rule;
  return {
    core: pool.coreVariables.map(({ name }) => name),
    poolSize: pool.poolSize,
    used: [...made.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    description: poolDescription(pool),
    modifier: modifierKind(modifier),
    placements: placementsOf(rule),
    initializers: new Map(
      [...made].flatMap(([name, { moments }]) => (moments.every((m) => m === null) ? [] : [[name, moments]])),
    ),
  };
}

/** Throws a PoolError if the pool is full. The error names the variable, the users of the pool, and the remedy. */
function checkFits({ made }: Rule, pool: VariablePool, name: string, shape: Shape): void {
  try {
    pool.check(sizeOf(shape));
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    const taken = [...made].map(([other, { shape }]) => `${other} ${show(shape)}`);
    const shown = taken.length > 4 ? [...taken.slice(0, 3), `${taken.length - 3} more`] : taken;
    const rest = taken.length === 0 ? "nothing is taken yet" : `taken by ${shown.join(", ")}`;
    throw new PoolError(
      `create "${name}" ${show(shape)}`,
      `${error.message}; ${rest}. Make the pool as large as the model needs: poolSize: poolSizeFor(model), or leave variables out with applyTo`,
    );
  }
}

/** An initializer, and the mean and deviation that a modifier read from it, or null. Files record both numbers. */
type Asked = { readonly init: Initializer; mean: number | null; deviation: number | null };

function observed(init: Initializer): Asked {
  const asked: Asked = {
    init: {
      ...init,
      name: init.name,
      get mean() {
        asked.mean = init.mean;
        return init.mean;
      },
      deviation: (shape) => {
        asked.deviation = init.deviation(shape);
        return asked.deviation;
      },
      draw: (shape, random) => init.draw(shape, random),
    },
    mean: null,
    deviation: null,
  };
  return asked;
}

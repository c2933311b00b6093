import {
  checkLengths,
  describe,
  noGrad,
  type Parameter,
  readFunction,
  readOptions,
  readText,
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
import { PoolError, type Range } from "./index-store.ts";
import { initializerScaleModifier, type Modifier, type ModifierContext, modifierKind } from "./modifiers.ts";
import { poolDescription, readPool, type VariablePool } from "./pool.ts";

/**
 * Selects the variables that come from the pool. A string is a pattern that must match at the start of the name, as in
 * the reference code. A RegExp is searched in the name. A function returns a boolean. Default: kernels and matrices,
 * that is all variables with two axes or more.
 */
export type ApplyTo = string | RegExp | ((name: string, shape: Shape) => boolean);

/** The predicate that `applyTo` describes. */
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

/** Options of `VariableFactory`. */
export type VariableFactoryOptions = {
  /** The pool of the weights. Default: no pool; every variable is dense. */
  readonly pool?: VariablePool | null;
  /** Selects the variables of the pool. Default: kernels and matrices. */
  readonly applyTo?: ApplyTo | null;
  /** Changes each slice before the layer reads it. Default `initializerScaleModifier`; null leaves slices unchanged. */
  readonly modifier?: Modifier | null;
  /** Creates variables outside the pool and the variables of modifiers (default: new DenseVariables with `seed`). */
  readonly variables?: VariableCreator;
  /** The seed of dense variables (default 0). */
  readonly seed?: number;
};

/**
 * A variable creator whose variables are slices of a pool. Passing a factory to a model compresses the model.
 * Slices are live: after a step of the optimizer, the next read returns the new weights. Variables that are not trained
 * never come from the pool.
 */
export class VariableFactory implements VariableCreator {
  readonly pool: VariablePool | null;
  readonly #takes: (name: string, shape: Shape) => boolean;
  readonly #modifier: Modifier | null;
  readonly #own: VariableCreator;
  /**
   * The factors of the pool; empty if the pool is not trained. Factors that are frozen later stay listed, so that
   * `unfreeze` finds them.
   */
  readonly #core: readonly Parameter[];
  readonly #made = new Map<string, Variable>();
  /** Names of the variables that modifiers created. */
  readonly #scales = new Set<string>();
  readonly #placements = new Map<string, readonly (readonly Range[])[]>();
  /**
   * Mean and deviation that modifiers read from initializers, by variable. Files record them, since they change the
   * weights.
   */
  readonly #initializers = new Map<string, readonly [mean: number | null, deviation: number | null]>();

  constructor(options?: VariableFactoryOptions) {
    const known = ["pool", "applyTo", "modifier", "variables", "seed"] as const;
    const { pool = null, applyTo = null, modifier, variables, seed } = readOptions("VariableFactory", options, known);
    if (pool !== null) readPool("VariableFactory", "pool", pool);
    if (modifier !== undefined && modifier !== null) readFunction("VariableFactory", "modifier", modifier);
    if (variables !== undefined) readCreator("VariableFactory", "variables", variables);
    readSeed("VariableFactory", seed);
    this.pool = pool;
    this.#core = pool?.coreVariables.filter((core) => core.tensor.tracked) ?? [];
    this.#takes = selectorOf("VariableFactory", applyTo);
    this.#modifier = modifier === undefined ? initializerScaleModifier : modifier;
    this.#own = variables ?? new DenseVariables({ seed: seed ?? 0 });
  }

  create(name: string, shape: Shape, options: CreateOptions = {}): Variable {
    checkRequest(name, shape, options);
    const existing = this.#made.get(name);
    if (existing !== undefined) return sameVariable(existing, shape, options);
    if (this.#scales.has(name) || this.pool?.coreVariables.some((core) => core.name === name)) {
      throw new VariableError(name, "is the name of the pool's own numbers or of a modifier's; give the layer another scope()");
    }
    const pooled = this.pool !== null && options.trainable !== false && this.#takes(name, shape);
    const made = pooled ? this.#fromPool(this.pool, name, shape, options) : this.#own.create(name, shape, options);
    this.#made.set(name, made);
    return made;
  }

  #fromPool(pool: VariablePool, name: string, shape: Shape, { init = defaultInit(shape) }: CreateOptions): Variable {
    const modify = this.#modifier ?? ((slice: Tensor): Tensor => slice);
    const asked = observed(init);
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
    this.#checkFits(pool, name, shape); // a variable that the pool refuses leaves nothing behind
    const tried = noGrad(() => modify(zeros(shape), context)); // creates what the modifier asks for
    if (!(tried instanceof Tensor && sameShape(tried.shape, shape))) {
      const made = tried instanceof Tensor ? show(tried.shape) : typeof tried;
      throw new VariableError(
        name,
        `has shape ${show(shape)}, its modifier made ${made} of it; it must return a tensor of that shape`,
      );
    }
    const slice = pool.getSlice(shape);
    this.#placements.set(name, slice.placement);
    if (asked.mean !== null || asked.deviation !== null) this.#initializers.set(name, [asked.mean, asked.deviation]);
    return {
      name,
      shape: slice.shape,
      trainable: true,
      storage: "pool",
      read: (): Tensor => {
        const weights = modify(slice.read(), context);
        weights.name ??= name; // for messages: a variable that the modifier returned as it is keeps its own
        return weights;
      },
      assign: (): void => {
        throw new VariableError(name, "is a slice of a pool and cannot be assigned; assign to the pool's coreVariables");
      },
    };
  }

  /** Throws a PoolError if the pool is full. The error names the variable, the users of the pool, and the remedy. */
  #checkFits(pool: VariablePool, name: string, shape: Shape): void {
    try {
      pool.check(sizeOf(shape));
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      const taken = [...this.#placements.keys()].map((other) => `${other} ${show(this.#made.get(other)!.shape)}`);
      const shown = taken.length > 4 ? [...taken.slice(0, 3), `${taken.length - 3} more`] : taken;
      const rest = taken.length === 0 ? "nothing is taken yet" : `taken by ${shown.join(", ")}`;
      throw new PoolError(
        `create "${name}" ${show(shape)}`,
        `${error.message}; ${rest}. Make the pool as large as the model needs: poolSize: poolSizeFor(model), or leave variables out with applyTo`,
      );
    }
  }

  /** The variables of layers, in this factory or in `variables`; without the variables of modifiers. */
  variables(): readonly Variable[] {
    const elsewhere = this.#own.variables().filter(({ name }) => !this.#made.has(name) && !this.#scales.has(name));
    return [...this.#made.values(), ...elsewhere];
  }

  /**
   * The factors of the pool first, then dense variables and learned scales.
   * @throws ValueError if no variable comes from the pool: no variable exists yet, or `applyTo` selects none.
   */
  parameters(): readonly Parameter[] {
    if (this.pool !== null && this.#placements.size === 0) {
      if (this.#made.size === 0)
        throw new ValueError(
          "VariableFactory",
          "there are no variables yet; build the model first, then ask for vars.parameters()",
        );
      const names = [...this.#made.keys()].slice(0, 4).join(", ");
      throw new ValueError(
        "VariableFactory",
        `applyTo matched none of the ${this.#made.size} variables (${names}, …), so nothing is compressed; a string must match from the start of a name, a RegExp anywhere`,
      );
    }
    return this.#trained();
  }

  #trained(): readonly Parameter[] {
    return [...this.#core, ...this.#own.parameters()];
  }

  /**
   * The position of each variable in the pool. It follows from the order of creation. Files record it, and loading
   * compares it.
   */
  placements(): ReadonlyMap<string, readonly (readonly Range[])[]> {
    return this.#placements;
  }

  /**
   * All that a file must hold to restore the model: trained numbers, the factors of a pool that is not trained, kind
   * and options of pool and modifier, and the position of each variable.
   */
  state(): ModelState {
    const own = stateOf(this.#own);
    const { pool } = this;
    if (pool === null) return own;
    const core = pool.coreVariables.map(({ name }) => name);
    const twice = core.find((name) => own.weights.has(name));
    if (twice !== undefined)
      throw new VariableError(twice, "is in two pools; give each pool its own name: new ProductVariablePool({ …, name })");
    const state: PooledState = {
      core,
      poolSize: pool.poolSize,
      used: [...this.#placements.keys()].reduce((sum, name) => sum + sizeOf(this.#made.get(name)!.shape), 0),
      description: poolDescription(pool),
      modifier: modifierKind(this.#modifier),
      placements: this.#placements,
      initializers: this.#initializers,
    };
    const weights = new Map([...pool.coreVariables.map(({ name, tensor }): [string, Tensor] => [name, tensor]), ...own.weights]);
    return { weights, pools: [state, ...own.pools] };
  }

  /** Sizes and the achieved fraction (learned scales and dense variables included), each pool, and warnings. */
  report(): CompressionReport {
    return reportOf({ variables: () => this.variables(), parameters: () => this.#trained(), state: () => this.state() });
  }
}

/** An initializer, with the mean and the deviation that a modifier read from it. */
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

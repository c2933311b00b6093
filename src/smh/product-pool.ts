import { lifetimeNow, SMALL_WORK } from "../kernels/index.ts";
import { matmul, reshape, slice, transpose } from "../ops/index.ts";
import {
  isRecording,
  keep,
  noGrad,
  type Parameter,
  readBoolean,
  type Shape,
  shareHistory,
  type Tensor,
  tidy,
  traceNow,
} from "../tensor/index.ts";
import { type Description, type Distribution, type Initializer, ofDeviation } from "../variables/index.ts";
import { type IndexStore, indexStore, PoolError, type Range } from "./index-store.ts";
import {
  checkDistribution,
  coreParameter,
  leastAdvice,
  type PoolOptions,
  type PoolSlice,
  readPoolOptions,
  sliceOf,
  storeKind,
  type VariablePool,
} from "./pool.ts";

/** Options of `ProductVariablePool`, which include {@link PoolOptions}. */
export type ProductPoolOptions = PoolOptions & {
  /**
   * The distribution of the factors `left` and `right` at the start (default "normal"). "uniform" and "truncated
   * normal" are bounded; use them for layers with bounded initializers. The pool chooses the deviation of the factors,
   * so that virtual weights have the standard deviation `stddev`. An initializer object is used unchanged; then
   * `stddev` has no effect.
   */
  readonly initializer?: Distribution | Initializer;
  /**
   * Whether the weights are a sum of Kronecker products Σₖ Lₖ ⊗ Rₖ with factors [r, d, d], instead of one matrix
   * product (default false).
   */
  readonly useKroneckerProduct?: boolean;
  /**
   * Whether reads without gradients (`noGrad`, `predict`, `evaluate`) avoid the cache of virtual weights (default
   * false).
   * - false: the first read computes the whole product and caches it.
   * - true: each read computes only the rows of its slice. This saves the memory of the cache, but each call of the
   *   model computes the whole product again.
   *
   * Both give the same bits.
   */
  readonly streaming?: boolean;
};

/**
 * A pool whose weights are one product `left [d, r] · right [r, d]`. Read row by row, the product is a vector of d²
 * virtual weights; d = ⌈√poolSize⌉ and r = ⌊fraction·poolSize/2d⌋.
 *
 * With `useKroneckerProduct`, the factors are [r, d, d], with d = ⌈poolSize^¼⌉ and r = ⌊fraction·poolSize/2d²⌋. The
 * vector has d⁴ virtual weights: element (i·d+p)·d² + j·d+q is Σₖ left[k,i,j]·right[k,p,q].
 *
 * Each factor starts with standard deviation √(stddev/√r), so virtual weights have standard deviation `stddev`.
 * Eban et al., "Structured Multi-Hashing for Model Compression", CVPR 2020 (arXiv:1911.11177).
 * @throws ValueError if the fraction is outside (0, 1]. PoolError if the fraction is so small that r is 0.
 * @example
 * const pool = new ProductVariablePool({ poolSize: 1000, fraction: 0.2 });
 * console.log(pool.coreSize, pool.getSlice([10, 20]).read().shape); //=> 192 [ 10, 20 ]
 */
export class ProductVariablePool implements VariablePool {
  readonly coreVariables: readonly Parameter[];
  readonly coreSize: number;
  readonly poolSize: number;
  readonly stddev: number;
  readonly description: Description;
  /** d: the side of the product. For a Kronecker product: the side of each matrix [d, d]; the product has side d². */
  readonly dim: number;
  /** r: each virtual weight is a sum of r products. */
  readonly replicas: number;
  readonly #left: Tensor;
  readonly #right: Tensor;
  readonly #kronecker: boolean;
  readonly #streaming: boolean;
  readonly #store: IndexStore;
  /** The end of the furthest slice. */
  #used = 0;
  /** The product of the current step, with recorded ops, so that gradients flow to the factors. */
  #product: { vector: Tensor; rows: number; versions: number } | null = null;
  /** The product for reads without gradients, without recorded ops. */
  #kept: { vector: Tensor; rows: number; versions: number; trace: number } | null = null;

  constructor(given: ProductPoolOptions) {
    const options = readPoolOptions("ProductVariablePool", given, ["initializer", "useKroneckerProduct", "streaming"]);
    const { poolSize, fraction, stddev = 1, initializer = "normal", useKroneckerProduct = false } = options;
    const { indexStore: kind = "basic", streaming = false } = options;
    readBoolean("ProductVariablePool", "useKroneckerProduct", useKroneckerProduct);
    readBoolean("ProductVariablePool", "streaming", streaming);
    this.#kronecker = useKroneckerProduct;
    this.#streaming = streaming;
    this.dim = rootAbove(poolSize, useKroneckerProduct ? 4 : 2);
    const side = sideOf(poolSize, useKroneckerProduct);
    this.replicas = Math.floor((0.5 * fraction * poolSize) / side);
    const shapes: [Shape, Shape] = useKroneckerProduct
      ? [
          [this.replicas, this.dim, this.dim],
          [this.replicas, this.dim, this.dim],
        ]
      : [
          [this.dim, this.replicas],
          [this.replicas, this.dim],
        ];
    if (this.replicas === 0) {
      throw new PoolError(
        "ProductVariablePool",
        `fraction ${fraction} leaves no column: the factors would be ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")}; ${leastAdvice(poolSize, leastProductFraction(poolSize, useKroneckerProduct))}`,
      );
    }
    checkDistribution("ProductVariablePool", initializer);
    const init =
      typeof initializer === "string" ? ofDeviation(initializer, Math.sqrt(stddev / Math.sqrt(this.replicas))) : initializer;
    const [left, right] = [
      coreParameter("ProductVariablePool", "variable_left", shapes[0], init, options),
      coreParameter("ProductVariablePool", "variable_right", shapes[1], init, options),
    ];
    // Each virtual weight is a sum of r products.
    const spread = Math.sqrt(this.replicas) * init.deviation(shapes[0]) * init.deviation(shapes[1]);
    this.stddev = typeof initializer === "string" ? stddev : spread;
    this.#left = left.tensor;
    this.#right = right.tensor;
    this.coreVariables = [left, right];
    this.coreSize = left.tensor.size + right.tensor.size;
    this.poolSize = side * side;
    const pool = useKroneckerProduct ? "kronecker" : "product";
    this.#store = indexStore("ProductVariablePool", kind, this.poolSize);
    this.description = { kind: pool, poolSize, fraction, stddev: this.stddev, indexStore: storeKind(kind) };
  }

  /** The position of the next slice. */
  get status(): number {
    return this.#store.current;
  }

  /**
   * Throws a PoolError if `getSlice` would refuse this number of weights.
   * @param length - the number of weights
   */
  check(length: number): void {
    this.#store.check(length);
  }

  /**
   * Returns the next weights of the pool in this shape.
   * @param shape - the shape of the slice
   * @throws PoolError if too few weights are left.
   */
  getSlice(shape: Shape): PoolSlice {
    const made = sliceOf(this.#store, this.poolSize, shape, (range) => this.#read(range));
    // A negative begin means constants of a padding store, which are not in the pool.
    for (const { begin, length } of made.placement[0]!) if (begin >= 0) this.#used = Math.max(this.#used, begin + length);
    return made;
  }

  #read({ begin, length }: Range): Tensor {
    if (this.#streaming && !this.#isRecorded()) return this.#stream(begin, length);
    return slice(this.#virtual(), [begin], [length]);
  }

  #isRecorded(): boolean {
    return isRecording() && this.#left.tracked;
  }

  /**
   * The number of virtual weights that one row of `left` makes. For a Kronecker product, one index i of `left`
   * [k, i, j] makes d rows of the product, d³ weights. The pool treats them as one row.
   */
  get #rowSize(): number {
    return this.#kronecker ? this.dim ** 3 : this.dim;
  }

  /** The number of rows that layers use, from the first row on. */
  get #rows(): number {
    return Math.ceil(this.#used / this.#rowSize);
  }

  /**
   * Computes a range of virtual weights from the rows that hold the range.
   * A matrix product with fewer than SMALL_WORK multiply-adds uses another routine, which may round differently. So a
   * small range computes at least `least` rows. Its bits are then those of the whole product.
   */
  #stream(begin: number, length: number): Tensor {
    const [rowSize, all] = [this.#rowSize, this.#rows];
    const least = Math.ceil(SMALL_WORK / (rowSize * this.replicas));
    const end = Math.min(all, Math.max(Math.ceil((begin + length) / rowSize), Math.floor(begin / rowSize) + least));
    const first = Math.max(0, Math.min(Math.floor(begin / rowSize), end - least));
    // `tidy` frees the rows before the layer runs.
    return tidy(() => slice(this.#multiply(first, end - first), [begin - first * rowSize], [length]));
  }

  /**
   * Returns the virtual weights of all rows that layers use, as a vector. While gradients are recorded, each step
   * computes the product once. Otherwise the product is cached until the factors change.
   * The two caches are separate: a product computed under noGrad() has no recorded ops, so training with it would lose
   * the gradient silently.
   */
  #virtual(): Tensor {
    const rows = this.#rows;
    const versions = this.#left.version + this.#right.version; // versions only grow, so any change changes the sum
    if (!this.#isRecorded()) {
      // A trace, such as an export to ONNX, must see the product's ops. So each trace computes its own product.
      const [kept, trace] = [this.#kept, traceNow()];
      if (kept === null || kept.rows !== rows || kept.versions !== versions || kept.trace !== trace)
        this.#kept = { vector: keep(noGrad(() => this.#multiply(0, rows))), rows, versions, trace };
      return this.#kept!.vector;
    }
    const last = this.#product;
    if (last === null || last.rows !== rows || last.versions !== versions || !isOfNow(last.vector)) {
      this.#product = { vector: this.#multiply(0, rows), rows, versions };
      shareHistory(this.#product.vector); // several graphs of one step may read this product
    }
    return this.#product!.vector;
  }

  /** The virtual weights of `rows` rows from row `first` on, as a vector. */
  #multiply(first: number, rows: number): Tensor {
    const [d, r] = [this.dim, this.replicas];
    if (!this.#kronecker) return reshape(matmul(slice(this.#left, [first, 0], [rows, r]), this.#right), [-1]);
    const left = reshape(slice(this.#left, [0, first, 0], [r, rows, d]), [r, rows * d]);
    const products = matmul(left, reshape(this.#right, [r, d * d]), { transposeA: true }); // [(i, j), (p, q)]
    return reshape(transpose(reshape(products, [rows, d, d, d]), [0, 2, 1, 3]), [-1]); // (i, p, j, q)
  }
}

/** Whether x was made in the running step. A tensor of an earlier step may be overwritten before this step ends. */
function isOfNow(x: Tensor): boolean {
  return x.lifetime === lifetimeNow();
}

/** The smallest whole d with dⁿ ≥ x. Floating-point roots may be off by one. */
export function rootAbove(x: number, n: number): number {
  let d = Math.max(1, Math.round(x ** (1 / n)));
  while (d > 1 && (d - 1) ** n >= x) d--;
  while (d ** n < x) d++;
  return d;
}

/** The count of numbers in each column of a factor: d, or d² for a Kronecker product. */
function sideOf(poolSize: number, kronecker: boolean): number {
  return kronecker ? rootAbove(poolSize, 4) ** 2 : rootAbove(poolSize, 2);
}

/** The smallest fraction that leaves one column. */
function leastProductFraction(poolSize: number, kronecker: boolean): number {
  return (2 * sideOf(poolSize, kronecker)) / poolSize;
}

import { kernels } from "../backends/index.ts";
import { alloc, type Numbers, release } from "../kernels/index.ts";
import {
  broadcastShapes,
  checkSize,
  readBoolean,
  readOptions,
  readTensor,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  stridesOf,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import { checkBias, pushBias } from "./bias.ts";
import { reshaped } from "./movement.ts";
import { record } from "./record.ts";

/** Options of `matmul`. */
export type MatmulOptions = {
  /** a is [k, m] instead of [m, k]; nothing is copied (default false). */
  readonly transposeA?: boolean;
  /** b is [n, k] instead of [k, n]; nothing is copied (default false). */
  readonly transposeB?: boolean;
  /** A bias [n] that is added to every row (default none). */
  readonly bias?: Tensor;
};

/**
 * The matrix product: a [m, k] · b [k, n] → [m, n]. Axes before the last two are batches and broadcast: a [2, 1, m, k]
 * · b [5, k, n] → [2, 5, m, n].
 *
 * A vector a [k] is a row and a vector b [k] is a column. The result omits their axis of length 1, as in NumPy: a [k] ·
 * b [k, n] → [n], a [m, k] · b [k] → [m], a [k] · b [k] → a scalar.
 * @param a - [..., m, k] or [k]
 * @param b - [..., k, n] or [k]
 * @throws ShapeError if k differs or the batch axes do not broadcast.
 * @example
 * const a = tensor([[1, 2], [3, 4]]);
 * console.log(matmul(a, tensor([[1], [10]]))); //=> Tensor [2, 1] 21 43
 * console.log(matmul(a, a, { transposeB: true })); //=> Tensor [2, 2] 5 11 11 25
 */
export function matmul(a: Tensor, b: Tensor, options?: MatmulOptions): Tensor {
  readTensor("matmul", "a", a);
  readTensor("matmul", "b", b);
  const { transposeA = false, transposeB = false, bias } = readOptions("matmul", options, ["transposeA", "transposeB", "bias"]);
  readBoolean("matmul", "transposeA", transposeA);
  readBoolean("matmul", "transposeB", transposeB);
  const [aIsRow, bIsColumn] = [a.shape.length === 1, b.shape.length === 1];
  if (!aIsRow && !bIsColumn) return product(a, b, transposeA, transposeB, bias);
  if ((aIsRow && transposeA) || (bIsColumn && transposeB)) {
    const name = aIsRow && transposeA ? "A" : "B";
    throw new ValueError("matmul", `transpose${name} must be left out: ${name.toLowerCase()} is a vector`);
  }
  const [ka] = aIsRow ? a.shape : rowsAndColumns(a, transposeA).reverse();
  const [kb] = bIsColumn ? b.shape : rowsAndColumns(b, transposeB);
  if (ka !== kb) throw unequalInner(a, b, transposeA, transposeB);
  const row = aIsRow ? reshaped(a, [1, a.size]) : a;
  const column = bIsColumn ? reshaped(b, [b.size, 1]) : b;
  const y = product(row, column, transposeA, transposeB, bias);
  const [batch, [m, n]] = [y.shape.slice(0, -2), y.shape.slice(-2) as [number, number]];
  return reshaped(y, [...batch, ...(aIsRow ? [] : [m]), ...(bIsColumn ? [] : [n])]);
}

function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, bias: Tensor | undefined): Tensor {
  const [m, k] = rowsAndColumns(a, transposeA);
  const [kb, n] = rowsAndColumns(b, transposeB);
  if (a.shape.length < 2 || b.shape.length < 2 || k !== kb) throw unequalInner(a, b, transposeA, transposeB);
  checkBias("matmul", bias, n);
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  checkSize("matmul", [...batch, m, n]);
  const y = alloc(sizeOf(batch) * m * n);
  // If all matrices a share one b and are not transposed, the batch is one product with more rows.
  const single = b.shape.length === 2 && !transposeA;
  const rows = single ? sizeOf(batch) * m : m;
  const products = single ? [{ a: 0, b: 0, y: 0 }] : productsOf(batch, a.shape, b.shape, m * n);
  const part = (x: Numbers, at: number, length: number): Numbers => x.subarray(at, at + length);
  for (const at of products) {
    kernels.gemm({
      m: rows,
      n,
      k,
      a: part(a.data, at.a, rows * k),
      b: part(b.data, at.b, k * n),
      c: part(y, at.y, rows * n),
      transA: transposeA,
      transB: transposeB,
      bias: bias?.data ?? null,
    });
  }
  const shape = [...batch, m, n];
  const inputs = bias === undefined ? [a, b] : [a, b, bias];
  return record("matmul", { transposeA, transposeB }, inputs, shape, y, (dy, into) => {
    // (+)=: overwrites, or adds if `accumulate` is true. op: the transposition if asked for, otherwise the identity.
    // da (+)= dy·op(b)ᵀ. If transposeA, a is [k, m], so da is the transpose of this product.
    pushProducts(
      a,
      into,
      products.map((at) => at.a),
      rows * k,
      (i, da, accumulate) => {
        const [dyi, bi] = [part(dy, products[i]!.y, rows * n), part(b.data, products[i]!.b, k * n)];
        if (!transposeA) kernels.gemm({ m: rows, n: k, k: n, a: dyi, b: bi, transB: !transposeB, c: da, accumulate });
        else kernels.gemm({ m: k, n: rows, k: n, a: bi, transA: transposeB, b: dyi, transB: true, c: da, accumulate });
      },
    );
    // db (+)= op(a)ᵀ·dy. If transposeB, b is [n, k], so db is the transpose of this product.
    pushProducts(
      b,
      into,
      products.map((at) => at.b),
      k * n,
      (i, db, accumulate) => {
        const [dyi, ai] = [part(dy, products[i]!.y, rows * n), part(a.data, products[i]!.a, rows * k)];
        if (!transposeB) kernels.gemm({ m: k, n, k: rows, a: ai, transA: !transposeA, b: dyi, c: db, accumulate });
        else kernels.gemm({ m: n, n: k, k: rows, a: dyi, transA: true, b: ai, transB: transposeA, c: db, accumulate });
      },
    );
    pushBias(bias, dy, into);
  });
}

function unequalInner(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): ShapeError {
  const [left, right] = [transposeA ? "aᵀ" : "a", transposeB ? "bᵀ" : "b"];
  const rule =
    a.shape.length > 1 && b.shape.length > 1
      ? "need [m, k] · [k, n] with the same k"
      : "need the same k: [k] or [m, k] · [k] or [k, n]";
  return new ShapeError("matmul", `${left} ${show(a.shape)} · ${right} ${show(b.shape)}: ${rule}`);
}

function rowsAndColumns({ shape }: Tensor, transposed: boolean): [number, number] {
  const [rows, columns] = [shape.at(-2) ?? 0, shape.at(-1) ?? 0];
  return transposed ? [columns, rows] : [rows, columns];
}

/** Returns, for each product of the batch, where its matrices begin in a, in b and in y. `size` is m·n. */
function productsOf(batch: Shape, a: Shape, b: Shape, size: number): { a: number; b: number; y: number }[] {
  const stepsOf = (shape: Shape): number[] => {
    const strides = stridesOf(shape);
    const added = batch.length - (shape.length - 2);
    return batch.map((_, axis) => (axis < added || shape[axis - added] === 1 ? 0 : strides[axis - added]!));
  };
  const [aSteps, bSteps, strides] = [stepsOf(a), stepsOf(b), stridesOf(batch)];
  return Array.from({ length: sizeOf(batch) }, (_, i) => {
    const at = (steps: readonly number[]): number =>
      steps.reduce((sum, step, axis) => sum + step * (Math.floor(i / strides[axis]!) % batch[axis]!), 0);
    return { a: at(aSteps), b: at(bSteps), y: i * size };
  });
}

/** Up to this number of products, the gradient of a matrix is summed in float32. */
const FEW_PRODUCTS = 8;

/**
 * Adds the gradients of x, one product for each entry of `begins`. Entries are equal if a matrix of x was broadcast:
 * then its gradient is the sum of several products. More than FEW_PRODUCTS are summed in double precision, which takes
 * 12 bytes for each element of one matrix.
 */
function pushProducts(
  x: Tensor,
  into: Parameters<Parameters<typeof record>[5]>[1],
  begins: readonly number[],
  length: number,
  product: (i: number, dx: Numbers, accumulate: boolean) => void,
): void {
  into(x, (dx, accumulate) => {
    if (!accumulate && begins.length === 0) dx.fill(0);
    const collected = new Map<number, number[]>(); // for each matrix by its begin: the indices of its products
    for (const [i, begin] of begins.entries()) {
      const list = collected.get(begin);
      if (list === undefined) collected.set(begin, [i]);
      else list.push(i);
    }
    for (const [begin, list] of collected) {
      const matrix = dx.subarray(begin, begin + length);
      if (list.length > FEW_PRODUCTS) collect(list, matrix, accumulate, product);
      else for (const [count, i] of list.entries()) product(i, matrix, accumulate || count > 0);
    }
  });
}

/** dx (+)= the sum of the products in `list`. Sums in double precision, then rounds to float32 once. */
function collect(
  list: readonly number[],
  dx: Numbers,
  accumulate: boolean,
  product: (i: number, dx: Numbers, accumulate: boolean) => void,
): void {
  const totals = accumulate ? Float64Array.from(dx) : new Float64Array(dx.length);
  const one = alloc(dx.length);
  for (const i of list) {
    product(i, one, false);
    for (let j = 0; j < one.length; j++) totals[j]! += one[j]!;
  }
  dx.set(totals);
  release(one);
}

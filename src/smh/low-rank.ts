import { matmul } from "../ops/index.ts";
import { Generator, noGrad, randomNormal, type Tensor, tensor } from "../tensor/index.ts";

/** Ends the iteration: the next one gains less than this share of the sum of squares. */
const TOLERANCE = 1e-6;
const MOST_ITERATIONS = 300;

/** left [m, r] and right [r, n]. */
export type Factors = { readonly left: Float32Array; readonly right: Float32Array };

/**
 * Returns the product left [m, r] · right [r, n] that is closest to a matrix [m, n], in the sense of least squares.
 * Columns of `left` have the norms of the rows of `right`. If the matrix has a lower rank than r, columns of `left` are
 * zero.
 *
 * Subspace iteration (Golub and Van Loan, Matrix Computations, section 7.3): q = orthonormal(matrix · right ᵀ),
 * right = qᵀ · matrix. It converges to the first r singular vectors, in order of their singular values.
 *
 * @param start Factors of a similar matrix, from which the iteration begins (default: random numbers).
 */
export function bestFactors(matrix: Tensor, r: number, start?: Factors): Factors {
  const [m = 0, n = 0] = matrix.shape;
  const rank = Math.min(r, m, n);
  return noGrad(() => {
    const total = squares(matrix.data);
    let right =
      start === undefined ? randomNormal([rank, n], new Generator(1)) : tensor(start.right.slice(0, rank * n), [rank, n]);
    let q = new Float64Array(m * rank);
    let captured = -1;
    for (let i = 0; i < MOST_ITERATIONS; i++) {
      q = orthonormal(matmul(matrix, right, { transposeB: true }).data, m, rank);
      right = matmul(tensor(Float32Array.from(q), [m, rank]), matrix, { transposeA: true });
      const now = squares(right.data);
      if (now - captured <= TOLERANCE * total) break;
      captured = now;
    }
    return balanced(q, right.data, { m, n, rank, r });
  });
}

/** The sum of squares. */
export function squares(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return sum;
}

/**
 * Returns the columns of y [m, r], made orthonormal by modified Gram-Schmidt in double precision. Each column is made
 * orthogonal to all earlier columns twice. A column that depends on earlier columns becomes zero.
 */
function orthonormal(y: ArrayLike<number>, m: number, r: number): Float64Array<ArrayBuffer> {
  const columns = Array.from({ length: r }, (_, j) => Float64Array.from({ length: m }, (_, i) => y[i * r + j]!));
  for (const [j, column] of columns.entries()) {
    const before = Math.sqrt(squares(column));
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < j; k++) {
        const other = columns[k]!;
        let dot = 0;
        for (let i = 0; i < m; i++) dot += other[i]! * column[i]!;
        for (let i = 0; i < m; i++) column[i]! -= dot * other[i]!;
      }
    }
    const norm = Math.sqrt(squares(column));
    const scale = norm > 1e-6 * before ? 1 / norm : 0;
    for (let i = 0; i < m; i++) column[i]! *= scale;
  }
  return Float64Array.from({ length: m * r }, (_, at) => columns[at % r]![Math.floor(at / r)]!);
}

type Sizes = { readonly m: number; readonly n: number; readonly rank: number; readonly r: number };

/** left [m, r] and right [r, n] with the product q · right; column k of left and row k of right have equal norms. */
function balanced(q: Float64Array, right: Float32Array, { m, n, rank, r }: Sizes): Factors {
  const made = { left: new Float32Array(m * r), right: new Float32Array(r * n) };
  for (let k = 0; k < rank; k++) {
    const root = Math.sqrt(Math.sqrt(squares(right.subarray(k * n, (k + 1) * n))));
    if (root === 0) continue;
    for (let i = 0; i < m; i++) made.left[i * r + k] = q[i * rank + k]! * root;
    for (let j = 0; j < n; j++) made.right[k * n + j] = right[k * n + j]! / root;
  }
  return made;
}

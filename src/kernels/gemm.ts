import type { Numbers } from "./memory.ts";

/**
 * The WebAssembly backend leaves products and convolutions with fewer multiplications to TypeScript: a call into
 * WebAssembly would take longer.
 */
export const SMALL_WORK = 4096;

/**
 * One matrix product, all matrices row by row: `c [m, n] (+)= op(a) [m, k] · op(b) [k, n]`.
 * If `transA`, `a` is stored as `[k, m]`; if `transB`, `b` as `[n, k]`.
 */
export type Gemm = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Numbers;
  readonly b: Numbers;
  readonly c: Numbers;
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Whether to add to `c`. If false, `c` is overwritten and not read. */
  readonly accumulate?: boolean;
  /** A row [n] that is added to every row. If `accumulate` is true, `bias` must be null. */
  readonly bias?: Numbers | null;
};

/** Fills y with copies of the row, or with zeros if there is no row. */
export function fillRows(row: Numbers | null, y: Numbers): void {
  if (row === null) y.fill(0);
  else for (let i = 0; i < y.length; i += row.length) y.set(row, i);
}

/** The specification: three plain loops, sums in double precision, one rounding to float32 at the end. */
export function gemm({ m, n, k, a, b, c, transA = false, transB = false, accumulate = false, bias = null }: Gemm): void {
  const [aRow, aColumn] = transA ? [1, m] : [k, 1]; // element (i, p) of op(a) is a[i·aRow + p·aColumn]
  const [bRow, bColumn] = transB ? [1, k] : [n, 1];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = accumulate ? c[i * n + j]! : bias === null ? 0 : bias[j]!;
      let [at, bt] = [i * aRow, j * bColumn];
      for (let p = 0; p < k; p++) {
        sum += a[at]! * b[bt]!;
        at += aColumn;
        bt += bRow;
      }
      c[i * n + j] = sum;
    }
  }
}

import { backend, blocked, kernels } from "../src/backends/index.ts";
import type { Gemm } from "../src/kernels/index.ts";
import * as reference from "../src/kernels/reference.ts";
import { type Budget, bench, type Measurement, whole } from "./harness.ts";

backend(); // chosen now, so that the table below holds its kernels
const tables: Readonly<Record<string, (gemm: Gemm) => void>> = {
  naive: reference.gemm,
  blocked: blocked.gemm!,
  wasm: kernels.gemm,
};

/** [m, n, k] and what it is. */
const shapes: readonly (readonly [string, number, number, number])[] = [
  ["512³", 512, 512, 512],
  ["pool product of the 128×128 net", 837, 837, 167],
  ["im2col of the toy net", 100_352, 16, 25],
];

export function gemmBenches(budget: Budget): Measurement[] {
  return shapes.flatMap(([what, m, n, k]) =>
    Object.entries(tables).flatMap(([table, gemm]) =>
      [
        { form: "a·b", transA: false, transB: false },
        { form: "aᵀ·b", transA: true, transB: false },
        { form: "a·bᵀ", transA: false, transB: true },
      ].map(({ form, transA, transB }) => {
        const [a, b, c] = [whole(m * k), whole(k * n, 2), new Float32Array(m * n)];
        const run = (): number => {
          gemm({ m, n, k, a, b, c, transA, transB });
          return c[0]!;
        };
        return bench(`gemm ${what} ${form} ${table}`, run, budget, 2 * m * n * k);
      }),
    ),
  );
}

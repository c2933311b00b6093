import { kernels } from "../src/backends/index.ts";
import { alloc, columnScales, inArena, type Kernels, type Numbers } from "../src/kernels/index.ts";
import * as reference from "../src/kernels/reference.ts";
import { Generator } from "../src/tensor/index.ts";
import { type Budget, bench, type Measurement } from "./harness.ts";

/** Loops over 8192 rows of 64 numbers, arrays where a step's lie: by the plain kernels, and by those in use. */
export function elementwiseBenches(budget: Budget): Measurement[] {
  const [rows, columns] = [8192, 64];
  return inArena(() => {
    const random = new Generator(1);
    const drawn = (length: number): Numbers => {
      const x = alloc(length);
      for (let i = 0; i < length; i++) x[i] = 0.1 + random.uniform();
      return x;
    };
    const [x, z, dy, y, m, v] = [0, 1, 2, 3, 4, 5].map(() => drawn(rows * columns)) as [
      Numbers,
      Numbers,
      Numbers,
      Numbers,
      Numbers,
      Numbers,
    ];
    const [mean, variance] = [Float64Array.from(drawn(columns)), Float64Array.from(drawn(columns))];
    const [scales, sums] = [columnScales(mean, variance, 0.1, undefined, undefined), new Float64Array(2 * columns)];
    const labels = new Int32Array(rows);
    const cases: Readonly<Record<string, (t: Kernels) => void>> = {
      sub: (t) => t.sub(x, z, y),
      exp: (t) => t.exp(x, y),
      tanh: (t) => t.tanh(x, y),
      gelu: (t) => t.gelu(x, y),
      geluGrad: (t) => t.geluGrad(x, dy, y, false),
      softmax: (t) => t.softmax(columns, x, y),
      crossEntropyGrad: (t) => t.crossEntropyGrad(columns, 0, x, labels, dy, y, false),
      columnMoments: (t) => t.columnMoments(columns, x, mean, variance),
      batchNorm: (t) => t.batchNorm(columns, 1, x, scales, y),
      batchNormSums: (t) => t.batchNormSums(columns, 1, x, scales, dy, y, sums),
      batchNormGrad: (t) => t.batchNormGrad(columns, x, scales, sums, dy, y, false),
      adam: (t) => t.adam(y, x, m, v, 1e-6, 0.9, 0.999, 1e-8, 0.1, 0.001),
    };
    return Object.entries(cases).flatMap(([name, run]) =>
      Object.entries({ plain: { ...reference }, "in use": kernels }).map(([which, table]) =>
        bench(
          `${name} of ${rows}×${columns}, ${which}`,
          () => {
            run(table);
            return y[0]!;
          },
          budget,
        ),
      ),
    );
  });
}

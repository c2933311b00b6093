import { columnScales, type Numbers } from "../../src/kernels/index.ts";
import { Generator } from "../../src/tensor/index.ts";
import type { Case } from "./sum-cases.ts";

// Cases of the kernels whose sums lie inside a formula: softmax, cross entropy and normalization, over [rows, columns].

const EPSILON = 1e-5;

/** What a row adds up to: `top`, its largest number, and `total`, Σ e^(x − top). */
function exponentials(x: Numbers): { top: number; total: number } {
  const top = x.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
  return { top, total: sumOf(x, (v) => Math.exp(v - top)) };
}
function sumOf(x: Numbers, term: (v: number, j: number) => number): number {
  let total = 0;
  for (let j = 0; j < x.length; j++) total += term(x[j]!, j);
  return total;
}
const rowsOf = (x: Numbers, columns: number): Numbers[] =>
  Array.from({ length: x.length / columns }, (_, r) => x.subarray(r * columns, (r + 1) * columns));
/** The number of element (r, j) in rows of `columns` numbers, for each element. */
function eachElement(rows: number, columns: number, visit: (at: number, r: number, j: number) => void): void {
  for (let at = 0; at < rows * columns; at++) visit(at, Math.floor(at / columns), at % columns);
}
const labelsOf = (rows: number, classes: number): Int32Array => {
  const random = new Generator(7);
  return Int32Array.from({ length: rows }, () => random.below(classes));
};
/** Logits that spread over 8 times the draw. */
const wide = (x: Numbers): Numbers => x.map((v) => 8 * v);
/** y of the softmax of wide numbers. */
const chances = (x: Numbers, columns: number): Numbers => {
  const y = new Float32Array(x.length);
  for (const [r, row] of rowsOf(x, columns).entries()) {
    const { top, total } = exponentials(row);
    y.set(
      row.map((v) => Math.exp(v - top) / total),
      r * columns,
    );
  }
  return y;
};

const softmax =
  (rows: number, columns: number): Case =>
  (draw) => {
    const x = wide(draw(rows * columns));
    const sums = rowsOf(x, columns).map(exponentials);
    return {
      length: x.length,
      write: (t, y) => t.softmax(columns, x, y),
      overwrites: true,
      terms: (add) => eachElement(rows, columns, (at, r) => add(at, Math.exp(x[at]! - sums[r]!.top) / sums[r]!.total)),
    };
  };

const softmaxGrad =
  (rows: number, columns: number): Case =>
  (draw) => {
    const [y, dy] = [chances(wide(draw(rows * columns)), columns), draw(rows * columns)];
    const dots = rowsOf(y, columns).map((row, r) => sumOf(row, (v, j) => v * dy[r * columns + j]!));
    return {
      length: y.length,
      write: (t, dx) => t.softmaxGrad(columns, y, dy, dx, true),
      terms: (add) =>
        eachElement(rows, columns, (at, r) => {
          add(at, y[at]! * dy[at]!);
          add(at, -y[at]! * dots[r]!);
        }),
    };
  };

const logSoftmax =
  (rows: number, columns: number): Case =>
  (draw) => {
    const x = wide(draw(rows * columns));
    const shifts = rowsOf(x, columns).map((row) => {
      const { top, total } = exponentials(row);
      return top + Math.log(total);
    });
    return {
      length: x.length,
      write: (t, y) => t.logSoftmax(columns, x, y),
      overwrites: true,
      terms: (add) => eachElement(rows, columns, (at, r) => add(at, x[at]! - shifts[r]!)),
    };
  };

const logSoftmaxGrad =
  (rows: number, columns: number): Case =>
  (draw) => {
    const [y, dy] = [chances(wide(draw(rows * columns)), columns).map(Math.log), draw(rows * columns)];
    const totals = rowsOf(dy, columns).map((row) => sumOf(row, (d) => d));
    return {
      length: y.length,
      write: (t, dx) => t.logSoftmaxGrad(columns, y, dy, dx, true),
      terms: (add) =>
        eachElement(rows, columns, (at, r) => {
          add(at, dy[at]!);
          add(at, -Math.exp(y[at]!) * totals[r]!);
        }),
    };
  };

const crossEntropy =
  (rows: number, classes: number, smoothing: number): Case =>
  (draw) => {
    const [x, labels] = [wide(draw(rows * classes)), labelsOf(rows, classes)];
    return {
      length: rows,
      write: (t, losses) => t.crossEntropy(classes, smoothing, x, labels, losses),
      overwrites: true,
      terms: (add) => {
        for (const [r, row] of rowsOf(x, classes).entries()) {
          const { top, total } = exponentials(row);
          const loss = (j: number): number => top + Math.log(total) - row[j]!;
          add(r, (1 - smoothing) * loss(labels[r]!));
          for (let j = 0; j < classes; j++) add(r, (smoothing / classes) * loss(j));
        }
      },
    };
  };

const crossEntropyGrad =
  (rows: number, classes: number, smoothing: number): Case =>
  (draw) => {
    const [x, labels, dlosses] = [wide(draw(rows * classes)), labelsOf(rows, classes), draw(rows)];
    const sums = rowsOf(x, classes).map(exponentials);
    return {
      length: x.length,
      write: (t, dx) => t.crossEntropyGrad(classes, smoothing, x, labels, dlosses, dx, true),
      terms: (add) =>
        eachElement(rows, classes, (at, r, j) => {
          add(at, (dlosses[r]! * Math.exp(x[at]! - sums[r]!.top)) / sums[r]!.total);
          add(at, -dlosses[r]! * (smoothing / classes + (j === labels[r] ? 1 - smoothing : 0)));
        }),
    };
  };

/** Mean and variance of each group of numbers, where element i belongs to group `of(i)`, in two passes. */
function moments(x: Numbers, groups: number, of: (i: number) => number): { mean: Float64Array; variance: Float64Array } {
  const [mean, variance, count] = [new Float64Array(groups), new Float64Array(groups), x.length / groups];
  for (let i = 0; i < x.length; i++) mean[of(i)]! += x[i]!;
  for (let g = 0; g < groups; g++) mean[g]! /= count; // not per term: the mean of equal numbers is that number
  for (let i = 0; i < x.length; i++) variance[of(i)]! += (x[i]! - mean[of(i)]!) ** 2 / count;
  return { mean, variance };
}

const columnMoments =
  (rows: number, columns: number): Case =>
  (draw) => {
    const x = draw(rows * columns);
    return {
      length: 2 * columns,
      write: (t, out) => {
        const [mean, variance] = [new Float64Array(columns), new Float64Array(columns)];
        t.columnMoments(columns, x, mean, variance);
        out.set(mean);
        out.set(variance, columns);
      },
      overwrites: true,
      terms: (add) => {
        const { mean } = moments(x, columns, (i) => i % columns);
        for (let i = 0; i < x.length; i++) {
          add(i % columns, x[i]! / rows);
          add(columns + (i % columns), (x[i]! - mean[i % columns]!) ** 2 / rows);
        }
      },
    };
  };

const standardizeRows =
  (rows: number, columns: number): Case =>
  (draw) => {
    const x = draw(rows * columns);
    const { mean, variance } = moments(x, rows, (i) => Math.floor(i / columns));
    return {
      length: x.length,
      write: (t, y) => t.standardizeRows(columns, x, EPSILON, y, new Float64Array(rows)),
      overwrites: true,
      terms: (add) =>
        eachElement(rows, columns, (at, r) => {
          const rate = 1 / Math.sqrt(variance[r]! + EPSILON);
          add(at, x[at]! * rate);
          add(at, -mean[r]! * rate);
        }),
    };
  };

/** The gradient of standardized rows: dy, less its mean and y·mean(dy·y), by a rate. */
const standardizeRowsGrad =
  (rows: number, columns: number): Case =>
  (draw) => {
    const [y, dy] = [draw(rows * columns), draw(rows * columns)];
    const rates = Float64Array.from({ length: rows }, (_, r) => 1 / Math.sqrt(0.5 + r + EPSILON));
    return {
      length: y.length,
      write: (t, dx) => t.standardizeRowsGrad(columns, y, rates, dy, dx, true),
      terms: (add) => {
        const [means, dots] = [new Float64Array(rows), new Float64Array(rows)];
        eachElement(rows, columns, (at, r) => {
          means[r]! += dy[at]! / columns;
          dots[r]! += (dy[at]! * y[at]!) / columns;
        });
        eachElement(rows, columns, (at, r) => {
          for (const term of [dy[at]!, -means[r]!, -y[at]! * dots[r]!]) add(at, rates[r]! * term);
        });
      },
    };
  };

/** The gradients of gamma and beta of batch normalization. */
const batchNormSums =
  (rows: number, columns: number): Case =>
  (draw) => {
    const [x, dy, sums] = [draw(rows * columns), draw(rows * columns), new Float64Array(2 * columns)];
    const { mean, variance } = moments(x, columns, (i) => i % columns);
    const scales = columnScales(mean, variance, EPSILON, undefined, undefined);
    return {
      length: sums.length,
      write: (t, out) => {
        t.batchNormSums(columns, 0, x, scales, dy, null, sums);
        out.set(sums);
      },
      overwrites: true,
      terms: (add) =>
        eachElement(rows, columns, (at, _r, j) => {
          add(j, dy[at]!);
          add(columns + j, dy[at]! * (x[at]! - mean[j]!) * scales[columns + j]!);
        }),
    };
  };

/**
 * Long rows, whose exponentials are computed twice in WebAssembly; rows that are shorter than that; and many short
 * rows.
 */
const sizes = [
  [1, 1_000_000],
  [8, 30_001],
  [3000, 10],
] as const;

/** Cases by name. */
export const rowCases: Readonly<Record<string, Case>> = Object.fromEntries(
  sizes.flatMap(([rows, columns]): [string, Case][] => {
    const named: Readonly<Record<string, Case>> = {
      softmax: softmax(rows, columns),
      "softmax's gradient": softmaxGrad(rows, columns),
      logSoftmax: logSoftmax(rows, columns),
      "logSoftmax's gradient": logSoftmaxGrad(rows, columns),
      "cross entropy": crossEntropy(rows, columns, 0),
      "cross entropy with smoothing": crossEntropy(rows, columns, 0.3),
      "cross entropy's gradient": crossEntropyGrad(rows, columns, 0.3),
      "standardized rows": standardizeRows(rows, columns),
      "gradient of standardized rows": standardizeRowsGrad(rows, columns),
      "moments of columns": columnMoments(columns, rows),
      "gradients of gamma and beta": batchNormSums(columns, rows),
    };
    return Object.entries(named).map(([name, make]) => [`${name}, ${rows}×${columns},`, make]);
  }),
);

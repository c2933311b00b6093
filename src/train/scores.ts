import type { Targets } from "../data/index.ts";
import { argMax } from "../ops/index.ts";
import {
  describe,
  type Outputs,
  readName,
  readNumber,
  readOptions,
  ShapeError,
  sameShape,
  show,
  Tensor,
  ValueError,
} from "../tensor/index.ts";
import type { Accumulator, Metric } from "./metric.ts";
import { readLabeled } from "./metrics.ts";

// Scores of a whole epoch that are no means over batches.

/** A metric that is counted over an epoch. */
type Counted = Exclude<Metric, (...args: never[]) => unknown>;

/**
 * Returns a metric: the coefficient of determination over all numbers, 1 − Σ(target − output)² / Σ(target − mean of the
 * targets)². 1 is perfect; 0 is as good as the mean. NaN if all targets are equal.
 * @example
 * const model = (x: Tensor) => mul(x, 2);
 * const data = { inputs: tensor([[1], [2]]), targets: tensor([[2], [4]]) };
 * const { metrics } = await evaluate({ model, data, loss: meanSquaredError, metrics: { r2: rSquared() } });
 * console.log(metrics.r2); //=> 1
 */
export function rSquared(): Counted {
  return {
    start: () => {
      let [n, mean, spread, error] = [0, 0, 0, 0];
      return {
        add: (outputs, targets) => {
          const [y, t] = readPair("rSquared", outputs, targets);
          for (let i = 0; i < t.length; i++) {
            n++;
            const delta = t[i]! - mean;
            mean += delta / n; // Welford 1962: a large mean loses no digits
            spread += delta * (t[i]! - mean);
            error += (t[i]! - y[i]!) ** 2;
          }
        },
        value: () => (spread === 0 ? Number.NaN : 1 - error / spread),
      };
    },
  };
}

/** Options of `precision`, `recall` and `f1`. */
export type CountedOptions = {
  /** "macro" (default): the mean of the scores of the classes. "micro": the score of the sum of all counts. */
  readonly average?: "macro" | "micro";
  /** The threshold of outputs if targets are tensors of 0 and 1 (default 0, for logits; 0.5 for probabilities). */
  readonly threshold?: number;
};

/**
 * Returns a metric: precision, the share of the predictions of a class that are correct. Targets are labels with
 * outputs [..., classes], or a tensor of 0 and 1 with the shape of the outputs, whose last axis is the classes. A class
 * that is never predicted scores 0.
 * @example
 * const model = (x: Tensor) => x;
 * const data = { inputs: tensor([[3, 1], [0, 2], [1, 0]]), targets: Int32Array.of(0, 1, 1) };
 * const { metrics } = await evaluate({ model, data, metrics: { precision: precision({ average: "micro" }) } });
 * console.log(metrics.precision); //=> 0.6666666666666666
 */
export function precision(options?: CountedOptions): Counted {
  return countedBy("precision", options, ({ hits, predicted }) => (predicted === 0 ? 0 : hits / predicted));
}

/**
 * Returns a metric: recall, the share of the examples of a class that are predicted. A class without examples scores 0.
 * Targets as for `precision`.
 */
export function recall(options?: CountedOptions): Counted {
  return countedBy("recall", options, ({ hits, actual }) => (actual === 0 ? 0 : hits / actual));
}

/**
 * Returns a metric: the F1 score, the harmonic mean of precision and recall, 2·hits / (predicted + actual). Targets as
 * for `precision`.
 * @example
 * const model = (x: Tensor) => x;
 * const data = { inputs: tensor([[3, 1], [0, 2], [1, 0]]), targets: Int32Array.of(0, 1, 1) };
 * const { metrics } = await evaluate({ model, data, metrics: { f1: f1(), recall: recall() } });
 * console.log(metrics.f1, metrics.recall); //=> 0.6666666666666666 0.75
 */
export function f1(options?: CountedOptions): Counted {
  return countedBy("f1", options, ({ hits, predicted, actual }) => {
    const total = predicted + actual;
    return total === 0 ? 0 : (2 * hits) / total;
  });
}

/** Counts of a class. */
type Counts = { hits: number; predicted: number; actual: number };

function countedBy(who: string, options: CountedOptions | undefined, score: (counts: Counts) => number): Counted {
  const { average = "macro", threshold = 0 } = readOptions(who, options, ["average", "threshold"]);
  readName(who, "average", average, ["macro", "micro"]);
  readNumber(who, "threshold", threshold);
  return {
    start: (): Accumulator => {
      const counted: Counts[] = []; // by class
      const countsOf = (c: number): Counts => {
        while (counted.length <= c) counted.push({ hits: 0, predicted: 0, actual: 0 });
        return counted[c]!;
      };
      const note = (c: number, predicted: boolean, actual: boolean): void => {
        const counts = countsOf(c);
        if (predicted) counts.predicted++;
        if (actual) counts.actual++;
        if (predicted && actual) counts.hits++;
      };
      return {
        add: (outputs, targets) => {
          if (targets instanceof Int32Array) {
            const logits = outputs as Tensor;
            const { batch, classes } = readLabeled(who, logits, targets);
            countsOf(classes - 1);
            for (const [i, c] of (batch === 0 ? new Int32Array(0) : argMax(logits, -1)).entries()) {
              note(c, true, targets[i] === c);
              if (targets[i] !== c) note(targets[i]!, false, true);
            }
            return;
          }
          const [y, t] = readPair(who, outputs, targets);
          const width = (targets as Tensor).shape.at(-1) ?? 1;
          for (let i = 0; i < t.length; i++) note(i % width, y[i]! > threshold, t[i]! > 0.5);
        },
        value: () => {
          if (counted.length === 0) return Number.NaN;
          if (average === "macro") return counted.reduce((sum, counts) => sum + score(counts), 0) / counted.length;
          const total: Counts = { hits: 0, predicted: 0, actual: 0 };
          for (const counts of counted) for (const key of ["hits", "predicted", "actual"] as const) total[key] += counts[key];
          return score(total);
        },
      };
    },
  };
}

/** The numbers of outputs and targets of one shape. */
function readPair(who: string, outputs: Outputs, targets: Targets): [Float32Array, Float32Array] {
  if (!(outputs instanceof Tensor && targets instanceof Tensor))
    throw new ValueError(who, `outputs and targets must be tensors, got ${describe(outputs)} and ${describe(targets)}`);
  if (!sameShape(outputs.shape, targets.shape))
    throw new ShapeError(who, `outputs ${show(outputs.shape)} and targets ${show(targets.shape)} must have the same shape`);
  return [outputs.data, targets.data];
}

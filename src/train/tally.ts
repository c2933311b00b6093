import type { Targets } from "../data/index.ts";
import { describe, type Outputs, readFunction, readObject, Tensor, ValueError } from "../tensor/index.ts";
import type { Metric, Scores } from "./metric.ts";
import { correctCount } from "./metrics.ts";
import { refuseAsync } from "./options.ts";

/** Whether outputs and targets are those of a classification: [batch, classes] and a label per row. */
export function areClassified(outputs: Outputs, targets: Targets): outputs is Tensor {
  return (
    outputs instanceof Tensor &&
    targets instanceof Int32Array &&
    outputs.shape.length === 2 &&
    outputs.shape[0] === targets.length &&
    targets.every((label) => label >= 0 && label < outputs.shape[1]!)
  );
}

/** Scores of the batches so far. */
export type Tally = {
  readonly add: (outputs: Outputs, targets: Targets, loss: number, examples: number) => void;
  /**
   * Adds a batch whose outputs are not known: its mean loss, and the number of examples that are classified correctly,
   * null if the model does not classify. Metrics become NaN.
   */
  readonly addCounts: (loss: number, correct: number | null, examples: number) => void;
  readonly scores: () => Scores;
};

export function tallyOf(who: string, metrics: Readonly<Record<string, Metric>>): Tally {
  let [count, lossSum, correct, classified, measured] = [0, 0, 0, true, true];
  const running = Object.entries(metrics).map(([name, metric]) => ({ name, ...runningOf(who, name, metric) }));
  return {
    add: (outputs, targets, loss, examples) => {
      count += examples;
      lossSum += loss * examples;
      if (classified && areClassified(outputs, targets)) correct += correctCount(outputs, targets as Int32Array);
      else classified = false;
      for (const { add } of running) add(outputs, targets, examples);
    },
    addCounts: (loss, right, examples) => {
      count += examples;
      lossSum += loss * examples;
      correct += right ?? 0;
      if (right === null) classified = false;
      measured = false;
    },
    scores: () => ({
      loss: lossSum / count,
      accuracy: classified ? correct / count : Number.NaN,
      metrics: Object.fromEntries(running.map(({ name, value }) => [name, measured ? value() : Number.NaN])),
    }),
  };
}

type Running = { readonly add: (outputs: Outputs, targets: Targets, examples: number) => void; readonly value: () => number };

function runningOf(who: string, name: string, metric: Metric): Running {
  if (typeof metric !== "function") {
    const accumulator = readObject(who, `what metrics.${name}.start returns`, metric.start());
    readFunction(who, `metrics.${name}.start().add`, accumulator.add);
    readFunction(who, `metrics.${name}.start().value`, accumulator.value);
    return {
      add: (outputs, targets) => void refuseAsync(who, `metrics.${name}`, accumulator.add(outputs, targets)),
      value: () => numberOf(who, name, accumulator.value()),
    };
  }
  let [total, count] = [0, 0];
  return {
    add: (outputs, targets, examples) => {
      total += numberOf(who, name, metric(outputs, targets)) * examples;
      count += examples;
    },
    value: () => total / count,
  };
}

function numberOf(who: string, name: string, value: number | Tensor): number {
  refuseAsync(who, `metrics.${name}`, value);
  if (typeof value === "number") return value;
  if (value instanceof Tensor && value.size === 1) return value.item();
  const isMaker = typeof value === "object" && value !== null && "start" in value;
  const remedy = isMaker ? "; call the function that makes the metric, such as rSquared()" : "";
  throw new ValueError(who, `metrics.${name} must return a number or a tensor of one number, got ${describe(value)}${remedy}`);
}

import { type Batch, batchOrder, type Data, type Dataset, sourceOf } from "../data/index.ts";
import { inference, noGrad, type Outputs, step, type Tensor, watched } from "../tensor/index.ts";
import { breathe } from "./breathe.ts";
import { lossError } from "./diagnosis.ts";
import { datasetOf, forward, lossOf, readBatch } from "./forward.ts";
import type { Scores } from "./metric.ts";
import { confusionMatrix, MOST_COUNTED } from "./metrics.ts";
import { type EvaluateOptions, readEvaluateOptions, type Scored } from "./options.ts";
import { areClassified, tallyOf } from "./tally.ts";

/**
 * Means over all examples (NaN if there are none), and confusion[label][prediction], the count of each pair.
 * `confusion` is empty above 4096 classes, and unless targets are labels and outputs [batch, classes].
 */
export type Evaluation<M extends string = string> = Scores<M> & {
  /** The number of examples. */
  readonly count: number;
  /** The number of examples of each pair, confusion[label][prediction]. */
  readonly confusion: readonly (readonly number[])[];
};

/**
 * Returns loss and metrics of a model in inference mode. Records no history; computes the product of a pool once for
 * all batches. For empty data, count is 0 and the means are NaN.
 * @throws TrainingError if a loss is NaN; it names the first op whose result is not finite. DataError if the parts of
 * the data do not match. ValueError for options of the wrong kind.
 * @example
 * const model = toyNetwork(new DenseVariables());
 * const { accuracy, count } = await evaluate({ model, data: syntheticDigits(20, new Generator(1)) });
 * console.log(accuracy <= 1, count); //=> true 20
 */
export async function evaluate<D extends Data = Dataset, R extends Outputs = Tensor, M extends string = string>(
  options: EvaluateOptions<D, R, M>,
): Promise<Evaluation<M>> {
  const { data, ...run } = readEvaluateOptions(options as EvaluateOptions<Data, Outputs>);
  return evaluateOn("evaluate", run, data, "batch");
}

/** The same for checked options. `what` is the word for a batch in messages. */
export async function evaluateOn(who: "train" | "evaluate", run: Scored, data: Data, what: string): Promise<Evaluation> {
  const { model, batchSize, loss, metrics, signal } = run;
  const source = sourceOf(data, who);
  const dataset = datasetOf(data);
  const tally = tallyOf(who, metrics);
  let confusion: number[][] | undefined; // as wide as the outputs, which may have more classes than the data
  let count = 0;
  for (const [i, indices] of batchOrder(source.length, { batchSize }).entries()) {
    if (signal?.aborted) break;
    const made = source.isInMemory ? null : await source.batch(indices);
    step(() =>
      noGrad(() => {
        const { inputs, targets } = readBatch(who, "the batch", made ?? (source.batch(indices) as Batch));
        const compute = (): { outputs: Outputs; value: Tensor } => {
          const outputs = inference(() => forward(who, model, inputs));
          return { outputs, value: lossOf(who, loss, outputs, targets) };
        };
        const { outputs, value } = compute();
        if (Number.isNaN(value.item())) {
          const where = `in ${what} ${i + 1}`;
          throw watched((watch) => {
            const again = compute().value; // watched, so that every result stays readable for the search
            return lossError(Number.isNaN(again.item()) ? again : value, {
              who,
              where,
              trained: true,
              data: dataset,
              indices,
              inputs,
              watch,
            });
          });
        }
        tally.add(outputs, targets, value.item(), indices.length);
        if (areClassified(outputs, targets) && outputs.shape[1]! <= MOST_COUNTED)
          confusion = confusionMatrix(outputs, targets as Int32Array, confusion);
      }),
    );
    count += indices.length;
    await breathe();
  }
  const classes = count === 0 && dataset !== null && dataset.classes <= MOST_COUNTED ? dataset.classes : 0;
  confusion ??= Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  return { ...tally.scores(), count, confusion };
}

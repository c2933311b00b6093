import { batchOf, batchOrder, checkDataset, lengthOf } from "../data/index.ts";
import { noGrad, step, watched } from "../tensor/index.ts";
import { breathe } from "./breathe.ts";
import { lossError } from "./diagnosis.ts";
import { confusionMatrix, correctCount, MOST_COUNTED } from "./metrics.ts";
import { type EvaluateOptions, readEvaluateOptions, readLogits, readLoss } from "./options.ts";

/**
 * Means over all examples (NaN if there are none), and confusion[label][prediction]: how often each class was taken for each. Above
 * 4096 classes `confusion` is empty.
 */
export type Evaluation = {
  readonly loss: number;
  readonly accuracy: number;
  readonly count: number;
  readonly confusion: readonly (readonly number[])[];
};

/**
 * Loss and accuracy of a model in inference mode. Records no history; a pool's product is formed once for all batches. An empty dataset
 * gives a count of 0 and means of NaN.
 *
 * @throws TrainingError if a loss is NaN, which names the first op whose numbers are not finite; DataError for a dataset that does not
 * fit together; ValueError for options of the wrong kind.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { model, data, batchSize, loss, signal } = readEvaluateOptions(options);
  checkDataset(data, "evaluate");
  let confusion: number[][] | undefined; // as wide as the logits, which may have more classes than the data
  let [count, lossSum, correct] = [0, 0, 0];
  for (const [i, indices] of batchOrder(lengthOf(data), { batchSize }).entries()) {
    if (signal?.aborted) break;
    step(() =>
      watched((watch) =>
        noGrad(() => {
          const { inputs, labels } = batchOf(data, indices);
          const logits = readLogits("evaluate", model(inputs), labels);
          const value = readLoss("evaluate", loss(logits, labels));
          const where = `in batch ${i + 1}`;
          if (Number.isNaN(value.item()))
            throw lossError(value, { who: "evaluate", where, trained: true, data, indices, inputs, watch });
          lossSum += value.item() * labels.length;
          correct += correctCount(logits, labels);
          if (logits.shape[1]! <= MOST_COUNTED) confusion = confusionMatrix(logits, labels, confusion);
        }),
      ),
    );
    count += indices.length;
    await breathe();
  }
  const classes = data.classes <= MOST_COUNTED ? data.classes : 0;
  confusion ??= count > 0 ? [] : Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  return { loss: lossSum / count, accuracy: correct / count, count, confusion };
}

import type { Batch, Data, Dataset, Targets } from "../data/index.ts";
import { crossEntropy } from "../ops/index.ts";
import {
  describe,
  type Outputs,
  readList,
  readObject,
  readOutputs,
  readTensor,
  ShapeError,
  show,
  Tensor,
  ValueError,
} from "../tensor/index.ts";
import { type AnyModel, type Loss, refuseAsync } from "./options.ts";

/** The labeled examples in memory that data are, null for data of another kind. */
export function datasetOf(data: Data): Dataset | null {
  return "labels" in data ? data : null;
}

/** What a model returns for a batch. */
export function forward(who: string, model: AnyModel<Outputs>, inputs: Batch["inputs"]): Outputs {
  const list: readonly Tensor[] = inputs instanceof Tensor ? [inputs] : inputs;
  const outputs = (model as (...inputs: readonly Tensor[]) => Outputs)(...list);
  return readOutputs(who, "what the model returns", refuseAsync(who, "model", outputs));
}

/** The loss of a batch, a single number. Without a loss function: softmax cross entropy, which needs labels. */
export function lossOf(who: string, loss: Loss<Outputs, Targets> | undefined, outputs: Outputs, targets: Targets): Tensor {
  if (loss === undefined) return crossEntropy(...readLogits(who, outputs, targets));
  const value = readTensor(who, "what loss returns", refuseAsync(who, "loss", loss(outputs, targets)));
  if (value.size !== 1)
    throw new ShapeError(who, `loss returned ${show(value.shape)}: need a single number; reduce it with mean()`);
  return value;
}

/** Logits [batch, classes] with a class for every label. */
function readLogits(who: string, outputs: Outputs, targets: Targets): [Tensor, Int32Array] {
  if (!(targets instanceof Int32Array))
    throw new ValueError(
      who,
      "the targets are no class labels, so there is no default loss; give one, such as loss: meanSquaredError, or crossEntropy if they are labels in a tensor",
    );
  if (!(outputs instanceof Tensor))
    throw new ValueError(who, `the model returned ${outputs.length} tensors: give a loss that takes them and the targets`);
  const [rows, classes = 0] = outputs.shape;
  if (outputs.shape.length !== 2 || rows !== targets.length)
    throw new ShapeError(who, `the model returned ${show(outputs.shape)} for ${targets.length} examples: need [batch, classes]`);
  if (classes === 1)
    throw new ShapeError(
      who,
      `the model returned ${show(outputs.shape)}, one number per example, and the default loss needs one per class; for two classes by one logit give targets as a Float32Array and loss: binaryCrossEntropyWithLogits`,
    );
  const wrong = targets.find((label) => label < 0 || label >= classes);
  if (wrong !== undefined)
    throw new ShapeError(
      who,
      `the model returned ${show(outputs.shape)}, so there is no class for the label ${wrong}; labels begin at 0`,
    );
  return [outputs, targets];
}

/** A batch of a source or of a transform, checked. */
export function readBatch(who: string, name: string, batch: Batch): Batch {
  const { inputs, targets } = readObject(who, name, refuseAsync(who, name, batch));
  readOutputs(who, `the inputs of ${name}`, inputs);
  for (const one of Array.isArray(targets) ? readList(who, `the targets of ${name}`, targets as readonly unknown[]) : [targets]) {
    if (!(one instanceof Tensor || one instanceof Int32Array))
      throw new ValueError(
        who,
        `the targets of ${name} must be a tensor, an Int32Array, or a list of these, got ${describe(one)}`,
      );
  }
  return batch;
}

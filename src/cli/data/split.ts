import { Generator } from "../../tensor/index.ts";

/** Positions of examples, each list in ascending order. */
export type Split = { readonly train: Int32Array; readonly validation: Int32Array };

/**
 * Divides examples into training and validation examples. Each class gives its share of validation examples: at least
 * one, if the class has two examples, and at most all but one. The same seed gives the same split.
 * @param labels - the class of each example
 * @param share - the share of validation examples, at least 0 and below 1
 */
export function stratifiedSplit(labels: ArrayLike<number>, share: number, seed: number): Split {
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const examples = byClass.get(labels[i]!);
    if (examples === undefined) byClass.set(labels[i]!, [i]);
    else examples.push(i);
  }
  const random = new Generator(seed);
  const chosen = new Set<number>();
  for (const label of [...byClass.keys()].sort((a, b) => a - b)) {
    const examples = byClass.get(label)!;
    const order = random.permutation(examples.length).subarray(0, countOf(examples.length, share));
    for (const i of order) chosen.add(examples[i]!);
  }
  return splitOf(labels.length, chosen);
}

/** Divides `length` examples at random. At least one example stays for training. */
export function randomSplit(length: number, share: number, seed: number): Split {
  return splitOf(length, new Set(new Generator(seed).permutation(length).subarray(0, countOf(length, share))));
}

/** The number of validation examples among `length` examples. */
function countOf(length: number, share: number): number {
  return share === 0 ? 0 : Math.min(Math.max(1, Math.round(share * length)), Math.max(0, length - 1));
}

function splitOf(length: number, validation: ReadonlySet<number>): Split {
  const all = Array.from({ length }, (_, i) => i);
  return {
    train: Int32Array.from(all.filter((i) => !validation.has(i))),
    validation: Int32Array.from(all.filter((i) => validation.has(i))),
  };
}

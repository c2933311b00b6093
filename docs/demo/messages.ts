// The messages between the page and its worker.
import type { Dataset } from "hashgrad/data";
import type { WeightsDtype } from "hashgrad/io";

/** The images of the page. */
export type Digits = { readonly train: Dataset; readonly test: Dataset };

/** A message from the page to the worker. */
export type Request =
  /** Replies with the sizes of a network of this fraction. */
  | { readonly kind: "measure"; readonly fraction: number }
  /** Builds a network and trains it. Ends the run before it. */
  | { readonly kind: "start"; readonly run: number; readonly fraction: number; readonly epochs: number }
  /** Waits after the current batch. */
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  /** Replies with the probabilities of the ten digits for 784 pixels from 0 to 1. */
  | { readonly kind: "classify"; readonly pixels: Float32Array }
  /** Replies with the next test image. */
  | { readonly kind: "example" }
  /** Replies with the weights as a file. */
  | { readonly kind: "save"; readonly dtype: WeightsDtype };

/** Sizes of a network, in numbers and in bytes. */
export type Sizes = {
  readonly fraction: number;
  /** The number of weights that the layers compute with. */
  readonly weights: number;
  /** The number of trained numbers. */
  readonly trained: number;
  /** Bytes of the file with float32 weights, with int8 weights, and of the dense network with float32 weights. */
  readonly bytes: { readonly float32: number; readonly int8: number; readonly dense: number };
};

/** The mean loss of the last batches. `epoch` counts completed epochs, with a fraction. */
export type LossPoint = { readonly epoch: number; readonly loss: number };
/** The share of correct answers on the test images. */
export type AccuracyPoint = { readonly epoch: number; readonly accuracy: number };

/** What the worker computes with. */
export type Engine = {
  readonly name: "wasm" | "plain";
  readonly threads: number;
  readonly reason: string;
  readonly isolated: boolean;
  readonly trainImages: number;
  readonly testImages: number;
};

/** A message from the worker to the page. */
export type Reply =
  | { readonly kind: "ready"; readonly engine: Engine }
  | ({ readonly kind: "sizes" } & Sizes)
  | ({ readonly kind: "loss"; readonly run: number } & LossPoint)
  | ({ readonly kind: "accuracy"; readonly run: number } & AccuracyPoint)
  | { readonly kind: "done"; readonly run: number; readonly seconds: number }
  | { readonly kind: "answer"; readonly probabilities: Float32Array }
  | { readonly kind: "image"; readonly pixels: Float32Array; readonly label: number }
  | {
      readonly kind: "file";
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly fraction: number;
      readonly dtype: WeightsDtype;
    }
  /** Something failed; `text` says what in words. */
  | { readonly kind: "failed"; readonly text: string };

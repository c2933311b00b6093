import { createRequire } from "node:module";
import type * as ort from "onnxruntime-web";
import { Tensor, tensor, transpose } from "../../src/index.ts";

// Files in the hands of onnxruntime, which shares no code with the library.

const { env, InferenceSession, Tensor: OrtTensor } = createRequire(import.meta.url)("onnxruntime-web") as typeof ort;
env.wasm.numThreads = 1;
env.logLevel = "error";

export type Run = (...inputs: Tensor[]) => Promise<Tensor[]>;

const toFirst = (x: Tensor): Tensor => (x.shape.length === 4 ? transpose(x, [0, 3, 1, 2]) : x);
const toLast = (x: Tensor): Tensor => (x.shape.length === 4 ? transpose(x, [0, 2, 3, 1]) : x);

/** A file as a function of tensors in the layout of the library. */
export async function load(bytes: Uint8Array, layout: "NHWC" | "NCHW" = "NHWC"): Promise<Run> {
  const session = await InferenceSession.create(bytes);
  const types = session.inputMetadata.map((input) => (input.isTensor ? input.type : "string"));
  return async (...inputs) => {
    const given = inputs.map((x) => (layout === "NCHW" ? toFirst(x) : x));
    const feeds = given.map(({ data, shape }, i) => {
      const isIndex = types[i] === "int64";
      const values = isIndex ? BigInt64Array.from(data, BigInt) : Float32Array.from(data);
      return [session.inputNames[i]!, new OrtTensor(isIndex ? "int64" : "float32", values, [...shape])] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    return session.outputNames.map((name) => {
      const { data, dims } = results[name]!;
      const y = tensor(Float32Array.from(data as Float32Array), [...dims]);
      return layout === "NCHW" ? toLast(y) : y;
    });
  };
}

/** The largest difference, relative to the largest number of `want`. Numbers that are not finite must be equal. */
export function difference(got: Tensor, want: Tensor): number {
  if (String(got.shape) !== String(want.shape)) return Number.POSITIVE_INFINITY;
  let [largest, most] = [1e-2, 0];
  for (const [i, v] of want.data.entries()) {
    if (Object.is(v, got.data[i])) continue;
    if (!Number.isFinite(v)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(v));
    most = Math.max(most, Math.abs(v - got.data[i]!));
  }
  return most / largest;
}

export const listOf = (results: Tensor | readonly Tensor[]): readonly Tensor[] =>
  results instanceof Tensor ? [results] : results;

import { broadcastTo, matmul, mul, reshape, softmax, transpose, tril, where } from "../ops/index.ts";
import {
  ones,
  readBoolean,
  readCount,
  readOptions,
  readTensor,
  ShapeError,
  sameShape,
  show,
  type Tensor,
  tidy,
} from "../tensor/index.ts";
import { readCreator, scope, type VariableCreator } from "../variables/index.ts";
import { type DenseOptions, dense } from "./dense.ts";
import type { Layer } from "./layer.ts";

/** Options of `multiHeadAttention`, which include {@link DenseOptions} for each of its four `dense` layers. */
export type AttentionOptions = DenseOptions & {
  /** Query i sees only the keys 0 to i (default false). */
  readonly causal?: boolean;
};

/** Below every score. `softmax` turns it into 0 beside a score, and never into NaN if a whole row is masked. */
const MASKED = -3.4028234663852886e38;

/**
 * Multi-head attention (Vaswani et al. 2017): query [batch, queries, size], key and value [batch, keys, size] → [batch,
 * queries, size].
 * Each head computes softmax(q·kᵀ/√(size/heads))·v. A `dense` layer precedes each of q, k and v; one more follows the
 * heads.
 *
 * `layer(x)` is self attention. `layer(query, memory)` is cross attention. The default key is the query; the default
 * value is the key.
 * The fourth input is a mask: `layer(x, x, x, mask)`. A value other than 0 lets the query see the key. The mask
 * broadcasts to [batch, heads, queries, keys]: use [queries, keys], or [batch, 1, 1, keys] for padded keys. A query
 * that sees no key gets zeros from the heads.
 * Variables: `query/`, `key/`, `value/` and `out/`, each with `kernel` [size, size] (Glorot uniform) and `bias` [size]
 * (zeros; none with `bias: false`).
 * @param size - the features of the inputs and of the result
 * @param heads - the number of heads, a divisor of `size`
 * @throws ShapeError if `heads` does not divide `size`, or an input has another shape.
 * @example
 * const attention = multiHeadAttention(new DenseVariables(), 16, 4, { causal: true });
 * console.log(attention(ones([2, 10, 16])).shape); //=> [ 2, 10, 16 ]
 */
export function multiHeadAttention(
  vars: VariableCreator,
  size: number,
  heads: number,
  options?: AttentionOptions,
): Layer<[query: Tensor, key?: Tensor, value?: Tensor, mask?: Tensor]> {
  const who = "multiHeadAttention";
  readCreator(who, "vars", vars);
  readCount(who, "size", size, 1);
  readCount(who, "heads", heads, 1);
  const { causal = false, ...dressed } = readOptions(who, options, ["causal", "bias", "init", "biasInit"]);
  readBoolean(who, "causal", causal);
  if (size % heads !== 0) throw new ShapeError(who, `size ${size} in ${heads} heads: need a multiple of heads`);
  const part = (name: string): Layer => dense(scope(vars, name), size, size, dressed);
  const [toQuery, toKey, toValue, toOut] = [part("query"), part("key"), part("value"), part("out")] as const;
  /** [batch, time, size] → [batch, heads, time, size/heads] */
  const ofHeads = (x: Tensor): Tensor => transpose(reshape(x, [x.shape[0]!, x.shape[1]!, heads, size / heads]), [0, 2, 1, 3]);
  return (query, key = query, value = key, mask) =>
    tidy(() => {
      const [batch, queries] = readInputs(who, query, key, value, size);
      const scaled = mul(ofHeads(toQuery(query)), 1 / Math.sqrt(size / heads));
      const scores = matmul(scaled, ofHeads(toKey(key)), { transposeB: true });
      const visible = maskOf(who, mask, causal, scores);
      const weights = visible === null ? softmax(scores) : softmax(where(visible, scores, MASKED));
      const seen = mask === undefined ? weights : where(visible!, weights, 0); // a row that is masked as a whole
      const y = transpose(matmul(seen, ofHeads(toValue(value))), [0, 2, 1, 3]);
      return toOut(reshape(y, [batch, queries, size]));
    });
}

/** The batch and the count of queries, of inputs that fit together. */
function readInputs(
  who: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  size: number,
): readonly [batch: number, queries: number] {
  const [batch, queries] = readSequence(who, "query", query, size);
  const [keyBatch] = readSequence(who, "key", key, size);
  readSequence(who, "value", value, size);
  if (keyBatch === batch && sameShape(key.shape, value.shape)) return [batch, queries];
  const given = `query ${show(query.shape)}, key ${show(key.shape)}, value ${show(value.shape)}`;
  throw new ShapeError(who, `${given}: need [batch, queries, ${size}] and twice [batch, keys, ${size}]`);
}

function readSequence(who: string, name: string, x: Tensor, size: number): readonly [batch: number, time: number] {
  const { shape } = readTensor(who, name, x);
  if (shape.length !== 3 || shape[2] !== size) throw new ShapeError(who, `${name} ${show(shape)}: need [batch, time, ${size}]`);
  return [shape[0]!, shape[1]!];
}

/** Not 0 for each key that a query sees; null if every query sees every key. */
function maskOf(who: string, mask: Tensor | undefined, causal: boolean, { shape }: Tensor): Tensor | null {
  if (mask === undefined) return causal ? tril(ones(shape.slice(-2))) : null;
  readTensor(who, "mask", mask);
  const against = shape.slice(-mask.shape.length);
  if (mask.shape.length > 4 || !mask.shape.every((n, axis) => n === 1 || n === against[axis]))
    throw new ShapeError(who, `mask ${show(mask.shape)} must broadcast to [batch, heads, queries, keys], ${show(shape)}`);
  const whole = broadcastTo(mask, shape);
  return causal ? tril(whole) : whole;
}

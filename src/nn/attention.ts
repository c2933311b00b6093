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
} from "../tensor/index.ts";
import { readCreator, scope, type VariableCreator } from "../variables/index.ts";
import { type DenseOptions, dense } from "./dense.ts";
import type { Layer } from "./layer.ts";

/** `causal` (false): query i sees the keys 0 to i only. The others are those of each of the four `dense` layers. */
export type AttentionOptions = DenseOptions & { readonly causal?: boolean };

/** Less than any score: `softmax` makes 0 of it beside a score, and no NaN if all scores of a row are masked. */
const MASKED = -3.4028234663852886e38;

/**
 * Multi-head attention (Vaswani et al. 2017): softmax(q·kᵀ/√(size/heads))·v in each head, with a `dense` layer before each of q, k and v and
 * one behind all heads together. query [batch, queries, size], key and value [batch, keys, size] → [batch, queries, size].
 *
 * Self attention is layer(x). Cross attention is layer(query, memory): key is query if left out, value is key if left out. `mask` is the
 * fourth input, layer(x, x, x, mask): not 0 where a query may see a key, broadcast to [batch, heads, queries, keys], so [queries, keys]
 * fits, and [batch, 1, 1, keys] for padded keys. A query that may see no key gets zeros for the heads' results.
 * Variables: `query/`, `key/`, `value/` and `out/`, each with `kernel` [size, size] (Glorot's uniform) and `bias` [size] (zeros; left out
 * with `bias: false`).
 *
 * @throws ShapeError if `heads` does not divide `size`, or an input has another shape.
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
  return (query, key = query, value = key, mask) => {
    const [batch, queries] = readSequence(who, "query", query, size);
    const [keyBatch] = readSequence(who, "key", key, size);
    readSequence(who, "value", value, size);
    if (keyBatch !== batch || !sameShape(key.shape, value.shape)) {
      const given = `query ${show(query.shape)}, key ${show(key.shape)}, value ${show(value.shape)}`;
      throw new ShapeError(who, `${given}: need [batch, queries, ${size}] and twice [batch, keys, ${size}]`);
    }
    const scaled = mul(ofHeads(toQuery(query)), 1 / Math.sqrt(size / heads));
    const scores = matmul(scaled, ofHeads(toKey(key)), { transposeB: true });
    const visible = maskOf(who, mask, causal, scores);
    const weights = visible === null ? softmax(scores) : softmax(where(visible, scores, MASKED));
    const seen = mask === undefined ? weights : where(visible!, weights, 0); // a row that is masked as a whole
    const y = transpose(matmul(seen, ofHeads(toValue(value))), [0, 2, 1, 3]);
    return toOut(reshape(y, [batch, queries, size]));
  };
}

function readSequence(who: string, name: string, x: Tensor, size: number): readonly [batch: number, time: number] {
  const { shape } = readTensor(who, name, x);
  if (shape.length !== 3 || shape[2] !== size) throw new ShapeError(who, `${name} ${show(shape)}: need [batch, time, ${size}]`);
  return [shape[0]!, shape[1]!];
}

/** Not 0 where a query may see a key; null if each may see all. */
function maskOf(who: string, mask: Tensor | undefined, causal: boolean, { shape }: Tensor): Tensor | null {
  if (mask === undefined) return causal ? tril(ones(shape.slice(-2))) : null;
  readTensor(who, "mask", mask);
  const against = shape.slice(-mask.shape.length);
  if (mask.shape.length > 4 || !mask.shape.every((n, axis) => n === 1 || n === against[axis]))
    throw new ShapeError(who, `mask ${show(mask.shape)} must broadcast to [batch, heads, queries, keys], ${show(shape)}`);
  const whole = broadcastTo(mask, shape);
  return causal ? tril(whole) : whole;
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { matmul } from "../../src/ops/index.ts";
import { broadcastShapes, gradients, type Shape, sizeOf, tensor, variable, zeros } from "../../src/tensor/index.ts";
import { broadcastablePairs } from "../../src/testing/arbitraries.ts";
import "../fixed-seed.ts";
import { whole } from "./naive.ts";

test("the product of two matrices matches a result computed by hand", () => {
  expect(
    matmul(
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [5, 6],
        [7, 8],
      ]),
    ).toNested(),
  ).toEqual([
    [19, 22],
    [43, 50],
  ]);
});

/** Where matrix i of the broadcast batch lies in a batch of shape `own`, counted in matrices. */
function source(i: number, batch: Shape, own: Shape): number {
  let [left, at, stride] = [i, 0, 1];
  for (let back = 1; back <= batch.length; back++) {
    const n = batch[batch.length - back]!;
    const length = own[own.length - back];
    if (length !== undefined) {
      at += (length === 1 ? 0 : left % n) * stride;
      stride *= length;
    }
    left = Math.floor(left / n);
  }
  return at;
}

test("products of broadcast batches, with and without transposes, equal plain loops exactly", () => {
  const size = fc.integer({ min: 0, max: 5 });
  fc.assert(
    fc.property(
      broadcastablePairs({ maxAxes: 2, minLength: 0, maxLength: 3 }),
      fc.tuple(size, size, size),
      fc.boolean(),
      fc.boolean(),
      fc.integer(),
      ([aBatch, bBatch], [m, k, n], transposeA, transposeB, seed) => {
        const a = whole([...aBatch, ...(transposeA ? [k, m] : [m, k])], seed);
        const b = whole([...bBatch, ...(transposeB ? [n, k] : [k, n])], seed + 1);
        const batch = broadcastShapes("test", aBatch, bBatch);
        const y = matmul(a, b, { transposeA, transposeB });
        expect(y.shape).toEqual([...batch, m, n]);
        for (let i = 0; i < sizeOf(batch); i++) {
          const [p, q] = [source(i, batch, aBatch) * m * k, source(i, batch, bBatch) * k * n];
          for (let r = 0; r < m; r++)
            for (let c = 0; c < n; c++) {
              let sum = 0;
              for (let j = 0; j < k; j++)
                sum += a.data[p + (transposeA ? j * m + r : r * k + j)]! * b.data[q + (transposeB ? c * k + j : j * n + c)]!;
              expect(y.data[(i * m + r) * n + c]).toBe(sum);
            }
        }
      },
    ),
  );
});

test("an empty batch gives an empty result and gradients of zeros", () => {
  const [a, b] = [variable(zeros([0, 3])), variable(tensor([[1], [2], [3]]))];
  const y = matmul(a, b);
  expect(y.shape).toEqual([0, 1]);
  const [da, db] = gradients(y, [a, b], zeros([0, 1]));
  expect(da!.shape).toEqual([0, 3]);
  expect(db!.toNested()).toEqual([[0], [0], [0]]);
  const c = variable(whole([1, 3, 2], 1));
  const [dc] = gradients(matmul(zeros([0, 2, 3]), c), [c], zeros([0, 2, 2]));
  expect(dc!.toArray()).toEqual(new Float32Array(6));
});

test("a product over an empty inner axis is 0", () => {
  expect(matmul(zeros([2, 0]), zeros([0, 2])).toNested()).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("NaN and infinity propagate through a product", () => {
  const y = matmul(
    tensor([
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
    ]),
    tensor([[1], [1]]),
  );
  expect(y.toNested()).toEqual([[Number.NaN], [Number.POSITIVE_INFINITY]]);
});

test("a vector is a row on the left or a column on the right, and the result drops its axis, as in NumPy", () => {
  const m = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(matmul(tensor([1, 10]), m).toNested()).toEqual([41, 52, 63]);
  expect(matmul(m, tensor([1, 0, -1])).toNested()).toEqual([-2, -2]);
  expect(matmul(tensor([1, 2, 3]), tensor([4, 5, 6])).toNested()).toBe(32);
  expect(matmul(tensor([1, 0, -1]), m, { transposeB: true }).toNested()).toEqual([-2, -2]);
  expect(matmul(m, tensor([1, 10]), { transposeA: true }).toNested()).toEqual([41, 52, 63]);
  expect(matmul(tensor([1, 10]), m, { bias: tensor([0, 0, 1]) }).toNested()).toEqual([41, 52, 64]);
  expect(matmul(tensor([1, Number.NaN]), m).toNested()).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});

test("a vector is multiplied with each matrix of a batch, empty matrices included", () => {
  expect(matmul(whole([4], 1), whole([2, 3, 4, 5], 2)).shape).toEqual([2, 3, 5]);
  expect(matmul(whole([2, 3, 4, 5], 2), whole([5], 1)).shape).toEqual([2, 3, 4]);
  expect(matmul(zeros([0]), zeros([0])).toNested()).toBe(0);
  expect(matmul(zeros([0]), zeros([0, 2])).toNested()).toEqual([0, 0]);
});

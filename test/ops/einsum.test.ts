import fc from "fast-check";
import { expect, test } from "vitest";
import { einsum } from "../../src/ops/index.ts";
import { type Tensor, zeros } from "../../src/tensor/index.ts";
import "../fixed-seed.ts";
import { einsums } from "./einsums.ts";
import { whole } from "./naive.ts";

/** One product for each assignment of all labels. */
function naive(equation: string, a: Tensor, b: Tensor): { shape: number[]; y: number[] } {
  const [left = "", result = ""] = equation.split("->");
  const [inA = "", inB = ""] = left.split(",");
  const lengths = new Map(
    [...inA].map((label, i) => [label, a.shape[i]!]).concat([...inB].map((label, i) => [label, b.shape[i]!])) as [
      string,
      number,
    ][],
  );
  const labels = [...lengths.keys()];
  const shape = [...result].map((label) => lengths.get(label)!);
  const y = new Array<number>(shape.reduce((x, n) => x * n, 1)).fill(0);
  const at = (names: string, indices: Map<string, number>): number =>
    [...names].reduce((offset, label) => offset * lengths.get(label)! + indices.get(label)!, 0);
  const visit = (depth: number, indices: Map<string, number>): void => {
    const label = labels[depth];
    if (label === undefined) {
      y[at(result, indices)]! += a.data[at(inA, indices)]! * b.data[at(inB, indices)]!;
      return;
    }
    for (let i = 0; i < lengths.get(label)!; i++) visit(depth + 1, indices.set(label, i));
  };
  visit(0, new Map());
  return { shape, y };
}

function check(equation: string, a: Tensor, b: Tensor): void {
  const [got, want] = [einsum(equation, a, b), naive(equation, a, b)];
  expect(got.shape).toEqual(want.shape);
  expect([...got.data].map((v) => v + 0)).toEqual(want.y.map((v) => v + 0)); // −0 is 0
}

test("random equations of two operands equal plain loops", () => {
  fc.assert(
    fc.property(einsums, fc.integer(), ({ equation, a, b }, seed) => check(equation, whole(a, seed), whole(b, seed + 1))),
    { numRuns: 300 },
  );
});

test.each([
  ["bij,bjk->bik", [2, 3, 4], [2, 4, 5]],
  ["bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 5, 2, 4]],
  ["bhqk,bkhd->bqhd", [2, 2, 3, 5], [2, 5, 2, 4]],
  ["ij,kj->ik", [3, 4], [5, 4]],
  ["i,j->ij", [3], [4]],
  ["i,i->", [6], [6]],
  ["bi,bi->b", [3, 4], [3, 4]],
  ["ij,ij->ji", [3, 4], [3, 4]],
  ["ij,->i", [3, 4], []],
  [" I j , j -> I ", [3, 4], [4]],
])("%s equals plain loops", (equation, a, b) => {
  if (equation.includes(" "))
    expect(einsum(equation, whole(a, 1), whole(b, 2))).toEqual(einsum("ij,j->i", whole(a, 1), whole(b, 2)));
  else check(equation, whole(a, 1), whole(b, 2));
});

test("a sum over an empty axis is 0", () => {
  expect(einsum("ij,jk->ik", zeros([2, 0]), zeros([0, 3])).toNested()).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect(einsum("ij,jk->ik", zeros([0, 2]), zeros([2, 3])).shape).toEqual([0, 3]);
});

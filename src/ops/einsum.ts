import { checkSize, describe, readTensor, readText, ShapeError, show, sizeOf, type Tensor, ValueError } from "../tensor/index.ts";
import { mul } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { reshape, transpose } from "./movement.ts";
import { sum } from "./reduce.ts";

/**
 * The sum of products in Einstein notation: `einsum("bij,bjk->bik", a, b)` is a batch of matrix products, a [b, i, j] ·
 * b [b, j, k] → [b, i, k]. Each letter names an axis. The result is summed over letters that it omits. Axes of one
 * letter have one length.
 *
 * A letter may occur once in each operand and once in the result. The result must be given.
 * @param equation - the letters of both operands and of the result, such as "ij,jk->ik"
 * @param a - the first operand
 * @param b - the second operand
 * @throws ValueError for an equation of another form, ShapeError if ranks or lengths do not fit it.
 * @example
 * const a = tensor([[1, 2], [3, 4]]);
 * console.log(einsum("ij,ij->i", a, a)); //=> Tensor [2] 5 25
 */
export function einsum(equation: string, a: Tensor, b: Tensor): Tensor {
  readText("einsum", "equation", equation);
  readTensor("einsum", "a", a);
  readTensor("einsum", "b", b);
  const { inA, inB, result } = parse(equation);
  const lengths = lengthsOf(inA, a, inB, b);
  const shapeOf = (labels: readonly string[]): number[] => labels.map((label) => lengths.get(label)!);
  const unknown = result.find((label) => !lengths.has(label));
  if (unknown !== undefined)
    throw new ValueError("einsum", `equation ${describe(equation)}: label "${unknown}" of the result is in no operand`);
  checkSize("einsum", shapeOf(result));

  const batch = inA.filter((label) => inB.includes(label) && result.includes(label));
  const contracted = inA.filter((label) => inB.includes(label) && !result.includes(label));
  const left = inA.filter((label) => !inB.includes(label) && result.includes(label));
  const right = inB.filter((label) => !inA.includes(label) && result.includes(label));

  /** x with its axes in the order batch, outer, contracted, or `turned`: batch, contracted, outer. */
  const arranged = (x: Tensor, labels: readonly string[], outer: readonly string[]): { x: Tensor; turned: boolean } => {
    const used = labels.filter((label) => [...batch, ...outer, ...contracted].includes(label));
    const dropped = labels.flatMap((label, axis) => (used.includes(label) ? [] : [axis]));
    const summed = dropped.length === 0 ? x : sum(x, dropped);
    const turned = outer.length > 0 && used.join() === [...batch, ...contracted, ...outer].join();
    return { x: turned ? summed : moved(summed, used, [...batch, ...outer, ...contracted]), turned };
  };
  const [u, v] = [arranged(a, inA, left), arranged(b, inB, right)];
  const [n, m, k, r] = [batch, left, contracted, right].map((labels) => sizeOf(shapeOf(labels))) as [
    number,
    number,
    number,
    number,
  ];
  const made = [...batch, ...left, ...right];
  let y: Tensor;
  if (contracted.length === 0) y = mul(reshape(u.x, [n, m, 1]), reshape(v.x, [n, 1, r]));
  else if (left.length + right.length === 0) y = sum(mul(reshape(u.x, [n, k]), reshape(v.x, [n, k])), 1);
  else {
    const front = batch.length === 0 ? [] : [n];
    const first = reshape(u.x, [...front, ...(u.turned ? [k, m] : [m, k])]);
    const second = reshape(v.x, [...front, ...(v.turned ? [k, r] : [r, k])]);
    y = matmul(first, second, { transposeA: u.turned, transposeB: !v.turned });
  }
  return moved(reshape(y, shapeOf(made)), made, result);
}

function parse(equation: string): { inA: string[]; inB: string[]; result: string[] } {
  const found = /^([a-z]*),([a-z]*)->([a-z]*)$/i.exec(equation.replaceAll(" ", ""));
  if (found === null)
    throw new ValueError("einsum", `equation ${describe(equation)}: need two operands and a result, such as "ij,jk->ik"`);
  const [inA = [], inB = [], result = []] = found.slice(1).map((labels) => [...labels]);
  for (const labels of [inA, inB, result]) {
    const twice = labels.find((label, i) => labels.indexOf(label) < i);
    if (twice !== undefined) {
      throw new ValueError(
        "einsum",
        `equation ${describe(equation)}: label "${twice}" stands twice in "${labels.join("")}"; diagonals are not supported`,
      );
    }
  }
  return { inA, inB, result };
}

function lengthsOf(inA: readonly string[], a: Tensor, inB: readonly string[], b: Tensor): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const [name, { shape }, labels] of [
    ["a", a, inA],
    ["b", b, inB],
  ] as const) {
    if (labels.length !== shape.length)
      throw new ShapeError(
        "einsum",
        `${name} ${show(shape)} has ${shape.length} axes, "${labels.join("")}" names ${labels.length}`,
      );
    for (const [axis, label] of labels.entries()) {
      const known = lengths.get(label) ?? shape[axis]!;
      if (known !== shape[axis])
        throw new ShapeError(
          "einsum",
          `a ${show(a.shape)}, b ${show(b.shape)}: label "${label}" is ${known} and ${shape[axis]} long`,
        );
      lengths.set(label, known);
    }
  }
  return lengths;
}

function moved(x: Tensor, labels: readonly string[], wanted: readonly string[]): Tensor {
  if (labels.join() === wanted.join()) return x;
  return transpose(
    x,
    wanted.map((label) => labels.indexOf(label)),
  );
}

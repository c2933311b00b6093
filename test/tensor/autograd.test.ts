import { describe, expect, test } from "vitest";
import { add, matmul, mul, relu, reshape, slice, square, sub, sum } from "../../src/ops/index.ts";
import {
  assign,
  backward,
  customGradient,
  GradientError,
  gradients,
  isRecording,
  keep,
  noGrad,
  ones,
  ShapeError,
  stopGradient,
  type Tensor,
  tensor,
  ValueError,
  variable,
  zeroGrad,
  zeros,
} from "../../src/tensor/index.ts";

describe("variables", () => {
  test("variable() returns a tracked copy without a gradient", () => {
    const x = tensor([1, 2]);
    const v = variable(x);
    expect([v.tracked, v.grad, v.version, x.tracked]).toEqual([true, null, 0, false]);
    assign(v, [3, 4]);
    expect([v.toNested(), x.toNested(), v.version]).toEqual([[3, 4], [1, 2], 1]);
    assign(v, tensor([5, 6]));
    expect([v.toNested(), v.version]).toEqual([[5, 6], 2]);
  });

  test("assign refuses other shapes and tensors that are not variables", () => {
    const v = variable(zeros([2, 2]));
    expect(() => assign(v, zeros([4]))).toThrow(
      new ShapeError("assign", "values [4] must have the shape of the variable, [2, 2]"),
    );
    expect(() => assign(v, [1])).toThrow(new ShapeError("assign", "1 values for a variable [2, 2] of 4"));
    expect(() => assign(zeros([1]), [1])).toThrow(
      new ValueError("assign", "only variables can be changed, this tensor [1] is not one; make it with variable()"),
    );
    expect(v.version).toBe(0);
  });

  test("a gradient that was read is a copy, which later passes do not change", () => {
    const v = variable(tensor(3));
    backward(square(v));
    const first = v.grad;
    backward(square(v));
    expect([first!.item(), v.grad!.item()]).toEqual([6, 12]);
  });
});

describe("backward", () => {
  test("a gradient passed on without a copy is correct if its tensor is used again before or after", () => {
    const x = variable(tensor([2, 3]));
    const y = square(x);
    backward(sum(add(mul(reshape(y, [2, 1]), tensor([[1], [10]])), add(reshape(y, [2, 1]), reshape(y, [2, 1])))));
    expect(x.grad!.toNested()).toEqual([2 * 2 * 3, 2 * 3 * 12]);
    const z = variable(tensor([1, 2]));
    backward(sum(sub(add(z, z), reshape(z, [2]))));
    expect(z.grad!.toNested()).toEqual([1, 1]);
  });

  test("gradients() of intermediate tensors are independent of gradients that are passed on and added to", () => {
    const x = variable(tensor([2, 3]));
    const y = square(x);
    const flat = reshape(y, [2, 1]);
    const [ofFlat, ofY, ofX] = gradients(sum(add(mul(flat, 5), reshape(y, [2, 1]))), [flat, y, x]);
    expect([ofFlat!.toNested(), ofY!.toNested(), ofX!.toNested()]).toEqual([
      [[5], [5]],
      [6, 6],
      [24, 36],
    ]);
  });

  test("backward does not write to the upstream gradient of the caller", () => {
    const x = variable(tensor([2, 3]));
    const upstream = tensor([1, 1]);
    backward(add(reshape(add(x, x), [2]), x), upstream);
    expect([x.grad!.toNested(), upstream.toNested()]).toEqual([
      [3, 3],
      [1, 1],
    ]);
  });

  test("a tensor that is used several times adds up all its gradients", () => {
    const x = variable(tensor([2, 3]));
    backward(sum(add(mul(x, x), x)));
    expect(x.grad!.toNested()).toEqual([5, 7]);
  });

  test("backward visits each op of a diamond once, regardless of the number of paths", () => {
    let calls = 0;
    const counted = (x: Tensor): Tensor =>
      customGradient(
        "counted",
        [x],
        (v) => add(v, 0),
        (dy) => {
          calls++;
          return [dy];
        },
      );
    const x = variable(tensor(1));
    let y = counted(x);
    for (let i = 0; i < 20; i++) y = add(y, y);
    backward(y);
    expect([x.grad!.item(), calls]).toEqual([2 ** 20, 1]);
  });

  test("two calls add up their gradients, and zeroGrad clears the sum", () => {
    const x = variable(tensor([1, 2]));
    backward(sum(x));
    backward(sum(mul(x, 3)));
    expect(x.grad!.toNested()).toEqual([4, 4]);
    zeroGrad([x]);
    expect(x.grad).toBeNull();
    backward(sum(mul(x, 5)));
    expect(x.grad!.toNested()).toEqual([5, 5]);
  });

  test("only variables that y depends on get a gradient", () => {
    const [x, z] = [variable(tensor(1)), variable(tensor(2))];
    backward(square(x));
    expect([x.grad!.item(), z.grad]).toEqual([2, null]);
  });

  test("the gradient of a variable with respect to itself is the upstream gradient", () => {
    const x = variable(tensor([1, 2]));
    backward(x, tensor([3, 4]));
    expect(x.grad!.toNested()).toEqual([3, 4]);
    expect(gradients(x, [x], tensor([5, 6]))[0]!.toNested()).toEqual([5, 6]);
  });

  test("a second call on the same graph raises an error with the remedy, and other graphs of the variables stay usable", () => {
    const x = variable(tensor([1, 2]));
    const y = sum(square(x));
    backward(y);
    const text =
      "the history of sum [] was used and freed by an earlier backward; add the losses and go back once, or pass retain";
    expect(() => backward(y)).toThrow(new GradientError("backward", text));
    backward(sum(square(x)));
    expect(x.grad!.toNested()).toEqual([4, 8]);
  });

  test("the first of two losses frees the part of the graph that both share", () => {
    const x = variable(tensor([1, 2]));
    const shared = square(x);
    backward(sum(shared));
    expect(() => backward(sum(mul(shared, 2)))).toThrow(/^backward: the history of square \[2\] was used and freed/);
  });

  test("retain keeps the history for another call", () => {
    const x = variable(tensor([1, 2]));
    const y = sum(square(x));
    backward(y, undefined, { retain: true });
    backward(y, undefined, { retain: true });
    expect(gradients(y, [x])[0]!.toNested()).toEqual([2, 4]);
    expect(x.grad!.toNested()).toEqual([4, 8]);
    expect(() => backward(y)).toThrow(GradientError);
  });

  test.each<[string, () => unknown, Error]>([
    [
      "y is not a single number",
      () => backward(square(variable(tensor([1, 2])))),
      new GradientError(
        "backward",
        "y [2] is not a single number; reduce it with mean() or sum(), or give the upstream gradient",
      ),
    ],
    [
      "y depends on no variable",
      () => backward(sum(tensor([1, 2]))),
      new GradientError("backward", "y [] has no history: no input was a variable, or it was computed inside noGrad or kept"),
    ],
    [
      "y was computed without recording",
      () => backward(noGrad(() => sum(variable(tensor([1]))))),
      new GradientError("backward", "y [] has no history: no input was a variable, or it was computed inside noGrad or kept"),
    ],
    [
      "the upstream has another shape",
      () => backward(square(variable(tensor([1, 2]))), ones([2, 1])),
      new ShapeError("backward", "upstream [2, 1] must have the shape of y [2]"),
    ],
    [
      "an input of gradients is not tracked",
      () => gradients(sum(variable(tensor([1]))), [tensor([1, 2])]),
      new GradientError("gradients", "input 0 [2] is not tracked; wrap it in variable()"),
    ],
  ])("throws an error if %s", (_, call, error) => {
    expect(call).toThrow(error);
  });

  test("a single number of any shape needs no upstream gradient", () => {
    const x = variable(tensor([[3]]));
    backward(square(x));
    expect(x.grad!.toNested()).toEqual([[6]]);
  });

  test("a graph ten thousand ops deep does not overflow the stack", () => {
    const x = variable(tensor(1));
    let y: Tensor = x;
    for (let i = 0; i < 10_000; i++) y = add(y, x);
    backward(y);
    expect(x.grad!.item()).toBe(10_001);
  });

  test("backward frees the history, so that no op holds its inputs", () => {
    const x = variable(ones([2, 2]));
    const hidden = relu(matmul(x, x));
    const y = sum(hidden);
    backward(y);
    for (const node of [y, hidden]) expect([node.history!.inputs, node.history!.pullback]).toEqual([[], null]);
    expect(x.history!.gradient).toBeNull();
  });

  test("a failed pass leaves no gradients for the next pass", () => {
    const x = variable(tensor(2));
    let broken = true;
    const y = customGradient(
      "breaks",
      [x],
      (v) => mul(v, 3),
      (dy) => {
        if (broken) throw new Error("stop");
        return [mul(dy, 3)];
      },
    );
    const z = add(y, y);
    expect(() => backward(z, undefined, { retain: true })).toThrow("stop");
    broken = false;
    backward(z);
    expect(x.grad!.item()).toBe(6);
  });
});

describe("gradients", () => {
  test("are returned, even of intermediate results, and change no grad", () => {
    const x = variable(tensor([1, 2]));
    const y = square(x);
    const z = sum(mul(y, 3));
    const [dx, dy] = gradients(z, [x, y]);
    expect([dx!.toNested(), dy!.toNested(), x.grad]).toEqual([[6, 12], [3, 3], null]);
    expect(dx!.tracked).toBe(false);
  });

  test("are zeros if y does not depend on x, and equal for an x that is listed twice", () => {
    const [x, z] = [variable(tensor([1, 2])), variable(ones([2, 2]))];
    const [first, second, other] = gradients(sum(x), [x, x, z]);
    expect([first!.toNested(), second!.toNested()]).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(other!.toNested()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test("do not change gradients that backward collected", () => {
    const x = variable(tensor(3));
    backward(square(x));
    gradients(square(x), [x]);
    expect(x.grad!.item()).toBe(6);
  });
});

describe("changes between forward and backward", () => {
  const text = (op: string, shape: string): string =>
    `an input of ${op} ${shape} was changed after ${op} had read it; go back before assign() or the optimizer's step`;

  test("an assign to a variable is detected", () => {
    const x = variable(tensor([1, 2]));
    const y = sum(square(x));
    assign(x, [5, 6]);
    expect(() => backward(y)).toThrow(new GradientError("backward", text("square", "[2]")));
    expect(x.grad).toBeNull();
  });

  test("an assign to a variable that was read through a view is detected, with and without history", () => {
    const [x, w] = [variable(tensor([1, 2])), variable(tensor([3, 4]))];
    const views: ((v: Tensor) => Tensor)[] = [
      stopGradient,
      (v) => reshape(v, [2]),
      (v) => slice(v, [0], [2]),
      (v) => noGrad(() => reshape(v, [2])),
      (v) =>
        customGradient(
          "same",
          [v],
          (u) => u,
          (dy) => [dy],
        ),
    ];
    for (const view of views) {
      const y = sum(mul(view(x), w));
      assign(x, [100, 200]);
      expect(() => gradients(y, [w])).toThrow(/was changed after/);
    }
  });

  test("an assign before the forward pass or to an unrelated variable raises no error", () => {
    const [x, other] = [variable(tensor([1, 2])), variable(tensor(0))];
    assign(x, [3, 4]);
    const y = sum(square(x));
    assign(other, [1]);
    backward(y);
    expect(x.grad!.toNested()).toEqual([6, 8]);
  });

  test("a copy made by keep does not change with the variable", () => {
    const [x, w] = [variable(tensor([1, 2])), variable(tensor([3, 4]))];
    const y = sum(mul(keep(x), w));
    assign(x, [100, 200]);
    expect(gradients(y, [w])[0]!.toNested()).toEqual([1, 2]);
  });
});

describe("stopping", () => {
  test("stopGradient stops the gradient and shares the numbers", () => {
    const x = variable(tensor([1, 2]));
    const stopped = stopGradient(x);
    expect([stopped.tracked, stopped.data.buffer === x.data.buffer]).toEqual([false, true]);
    backward(sum(mul(x, stopped)));
    expect(x.grad!.toNested()).toEqual([1, 2]);
  });

  test("noGrad records nothing, nests, and ends if its function throws", () => {
    const x = variable(tensor(1));
    expect(noGrad(() => square(x)).tracked).toBe(false);
    noGrad(() => {
      expect(noGrad(() => isRecording())).toBe(false);
      expect(isRecording()).toBe(false);
    });
    expect(() =>
      noGrad(() => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect([isRecording(), square(x).tracked]).toEqual([true, true]);
  });

  test("noGrad refuses an async function, and recording continues", () => {
    expect(() => noGrad(async () => 1)).toThrow(
      new ValueError("noGrad", "the function must not be async; await outside, and call noGrad with what was awaited"),
    );
    expect(() => noGrad(() => Promise.reject(new Error("unheard")))).toThrow(ValueError);
    expect(isRecording()).toBe(true);
  });

  test("backward works inside noGrad", () => {
    const x = variable(tensor(3));
    const y = square(x);
    noGrad(() => backward(y));
    expect(x.grad!.item()).toBe(6);
  });
});

describe("customGradient", () => {
  test("computes its result with the forward function and its gradient with the pullback only", () => {
    const x = variable(tensor([-2, 3]));
    const seen: unknown[] = [];
    const y = customGradient("odd", [x], square, (dy, result, v) => {
      seen.push(dy.toNested(), result.toNested(), v.toNested(), dy.tracked, isRecording());
      return [mul(dy, 100)];
    });
    expect(y.toNested()).toEqual([4, 9]);
    backward(y, tensor([1, 2]));
    expect(x.grad!.toNested()).toEqual([100, 200]);
    expect(seen).toEqual([[1, 2], [4, 9], [-2, 3], false, false]);
  });

  test("treats null as no gradient and gives untracked inputs no gradient", () => {
    const [x, z] = [variable(tensor(1)), variable(tensor(2))];
    const y = customGradient(
      "first",
      [x, z, tensor(5)],
      (a, b) => sub(a!, b!),
      (dy) => [dy, null, dy],
    );
    backward(y);
    expect([x.grad!.item(), z.grad]).toEqual([1, null]);
  });

  test("refuses a pullback that returns too few gradients or a gradient of another shape", () => {
    const x = variable(tensor([1, 2]));
    const short = customGradient(
      "short",
      [x, x],
      (a, b) => add(a!, b!),
      (dy) => [dy],
    );
    expect(() => backward(sum(short))).toThrow(
      new GradientError("short", "the pullback returned 1 gradients for 2 inputs; return null for those without"),
    );
    const wide = customGradient(
      "wide",
      [x],
      (a) => add(a, 0),
      () => [ones([2, 1])],
    );
    expect(() => backward(sum(wide))).toThrow(
      new ShapeError("wide", "the gradient of input 0 has shape [2, 1], the input [2]: they must be the same"),
    );
  });
});

import { describe, expect, test } from "vitest";
import { memory } from "../../src/kernels/index.ts";
import { add, conv2d, dropout, matmul, mean, mul, relu, reshape, square, sum } from "../../src/ops/index.ts";
import {
  assign,
  backward,
  Generator,
  gradients,
  keep,
  ones,
  RecycledError,
  randomNormal,
  step,
  stopGradient,
  type Tensor,
  tensor,
  ValueError,
  variable,
  zeroGrad,
} from "../../src/tensor/index.ts";

/** Runs a step that makes a tensor and returns it through an outer variable. */
function leaked(make: () => Tensor): Tensor {
  let out: Tensor | undefined;
  step(() => {
    out = make();
  });
  return out!;
}

describe("a tensor created in a step", () => {
  test("stays readable until the next step begins, then throws an error that names keep", () => {
    const x = leaked(() => add(tensor([1, 2]), 1));
    tensor([9, 9]);
    expect(x.toNested()).toEqual([2, 3]);
    step(() => expect(() => x.data).toThrow(RecycledError));
    const text =
      "a tensor: [2] cannot be read: its step is over and its memory belongs to a later one; keep(x) inside the step, or return it from step()";
    for (const read of [() => x.data, () => x.toArray(), () => x.toNested(), () => add(x, 1), () => keep(x)]) {
      expect(read).toThrow(new RecycledError("a tensor", text.slice("a tensor: ".length)));
    }
    expect(() => tensor([x.data[0]!])).toThrow(RecycledError);
  });

  test("is named by its op in the error, ends with its views, and is refused by backward", () => {
    const v = variable(tensor([1, 2]));
    const y = leaked(() => square(v));
    const view = reshape(stopGradient(y), [2, 1]);
    step(() => {});
    expect(() => y.data).toThrow(/^the result of square: \[2\] cannot be read/);
    expect(() => view.data).toThrow(RecycledError);
    expect(() => backward(y, ones([2]))).toThrow(RecycledError);
    expect(v.grad).toBeNull();
  });

  test("can be differentiated after the step", () => {
    const v = variable(tensor([1, 2]));
    const y = leaked(() => sum(square(v)));
    backward(y);
    expect(v.grad!.toNested()).toEqual([2, 4]);
  });

  test("lasts if kept or returned, alone or nested in lists and plain objects", () => {
    const out = step(() => {
      const x = tensor([1, 2]);
      return { x, list: [x, { deep: add(x, 1) }], text: "as it is", none: null };
    });
    const [alone, kept] = [step(() => tensor(5)), leaked(() => keep(tensor([7])))];
    for (let i = 0; i < 5; i++) step(() => tensor([0, 0, 0, 0]));
    expect([out.x.toNested(), out.text, out.none]).toEqual([[1, 2], "as it is", null]);
    const [first, second] = out.list as [Tensor, { deep: Tensor }];
    expect([first.toNested(), second.deep.toNested()]).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect([alone.item(), kept.toNested()]).toEqual([5, [7]]);
  });

  test("a variable that a step creates or returns keeps its identity, and its gradient lasts", () => {
    const v = step(() => variable(tensor([1, 2])));
    expect(step(() => v)).toBe(v);
    step(() => backward(sum(square(v))));
    for (let i = 0; i < 5; i++) step(() => tensor([0, 0]));
    expect([v.toNested(), v.grad!.toNested()]).toEqual([
      [1, 2],
      [2, 4],
    ]);
  });

  test("tensors that gradients() returns last after the step", () => {
    const v = variable(tensor([3]));
    let dv: Tensor | undefined;
    step(() => {
      [dv] = gradients(sum(square(v)), [v]);
    });
    for (let i = 0; i < 5; i++) step(() => tensor([0]));
    expect(dv!.toNested()).toEqual([6]);
  });
});

test("tensors of a step inside a step last as long as the tensors of the outer step", () => {
  step(() => {
    const x = tensor([1]);
    const inner = leaked(() => tensor([2]));
    for (let i = 0; i < 5; i++) step(() => tensor([0]));
    expect([x.item(), inner.item()]).toEqual([1, 2]);
  });
});

test("the library works after an exception inside a step", () => {
  const fail = (): never => {
    tensor([1, 2, 3]);
    throw new Error("stop");
  };
  expect(() => step(fail)).toThrow("stop");
  expect(() => step(() => step(fail))).toThrow("stop");
  const after = tensor([1]);
  expect(step(() => tensor([4]).item())).toBe(4);
  for (let i = 0; i < 5; i++) step(() => tensor([0]));
  expect(after.item()).toBe(1);
});

test("step refuses an async function and ends", () => {
  expect(() => step(async () => 1)).toThrow(
    new ValueError("step", "the function must not be async; await outside, and call step with what was awaited"),
  );
  const after = tensor([1]);
  for (let i = 0; i < 5; i++) step(() => tensor([0]));
  expect(after.item()).toBe(1);
});

test("a step gives the same bits as no step for any initial contents of its memory", () => {
  const [x, kernel] = [randomNormal([2, 9, 9, 3], new Generator(1)), randomNormal([3, 3, 3, 8], new Generator(2))];
  const [w, v] = [variable(kernel), variable(randomNormal([8, 4], new Generator(3)))];
  const run = (): Float32Array[] => {
    const random = new Generator(4);
    const hidden = dropout(relu(conv2d(x, w, { padding: "same", strides: 2 })), 0.2, () => random.uniform());
    const loss = mean(square(matmul(mean(hidden, [1, 2]), v)));
    return [loss.toArray(), ...gradients(loss, [w, v]).map((d) => d.toArray())];
  };
  const want = run();
  for (let i = 0; i < 4; i++) {
    step(() => void tensor(new Float32Array(50_000).fill(Number.NaN)));
    expect(step(run)).toEqual(want);
  }
});

test("a training loop allocates nothing after the warm-up", () => {
  const [x, w] = [randomNormal([16, 32], new Generator(1)), variable(randomNormal([32, 8], new Generator(2)))];
  const train = (): number =>
    step(() => {
      const loss = mean(square(relu(matmul(x, w))));
      backward(loss);
      assign(w, add(w, mul(w.grad!, -0.1)));
      zeroGrad([w]);
      return loss.item();
    });
  const first = train();
  for (let i = 0; i < 4; i++) train();
  const before = memory();
  for (let i = 0; i < 50; i++) train();
  expect(memory()).toEqual(before);
  expect(train()).toBeLessThan(first);
});

test("step returns values without tensors unchanged and walks a cycle once", () => {
  const object = {
    get now(): number {
      return 1;
    },
    f: () => 2,
  };
  expect(step(() => object)).toBe(object);
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  expect(step(() => cycle)).toBe(cycle);
});

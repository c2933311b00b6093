import { kernels } from "../backends/index.ts";
import { GradientError, isInArena, lasting, readFunction, readList, readText, ShapeError } from "../kernels/index.ts";
import { readTensor, readTensors } from "./arguments.ts";
import { noGrad, record, stopGradient } from "./autograd.ts";
import { sameShape, show } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { watching } from "./watch.ts";

/**
 * Returns y = forward(...given) with a gradient of your own. The ops of `forward` and of `pullback` are not recorded.
 * @param name - the name of the op, for messages and graphs
 * @param given - the inputs
 * @param forward - computes y from the inputs, with any ops
 * @param pullback - returns ∂loss/∂x for each input, or null, from dy = ∂loss/∂y. Inside a step, dy is readable during
 * the pullback only.
 * @throws GradientError if `pullback` returns another number of gradients, ShapeError if a gradient has another shape
 * than its input.
 * @example
 * const x = variable(tensor([1, 2]));
 * const clipped = customGradient("clipGradient", [x], (x) => x, (dy) => [clip(dy, -1, 1)]);
 * backward(sum(mul(clipped, 10)));
 * console.log(x.grad); //=> Tensor [2] 1 1
 */
export function customGradient(
  name: string,
  given: readonly Tensor[],
  forward: (...inputs: Tensor[]) => Tensor,
  pullback: (dy: Tensor, y: Tensor, ...inputs: Tensor[]) => readonly (Tensor | null)[],
): Tensor {
  readText("customGradient", "name", name);
  const inputs = readTensors("customGradient", "given", given).slice();
  readFunction("customGradient", "forward", forward);
  readFunction("customGradient", "pullback", pullback);
  const y = readTensor(
    `customGradient "${name}"`,
    "the result of forward",
    noGrad(() => forward(...inputs.map(stopGradient))),
  );
  const wrapped = record(
    name,
    {},
    inputs,
    y.shape,
    y.data,
    (dy, into) => {
      const lifetime = isInArena() ? { ended: null, version: 0 } : lasting();
      const upstream = new Tensor(y.shape, dy, lifetime);
      const found = noGrad(() => pullback(upstream, stopGradient(y), ...inputs.map(stopGradient)));
      for (const [i, gradient] of readGradients(name, found, inputs).entries())
        if (gradient !== null) into(inputs[i]!, (dx, accumulate) => kernels.axpy(1, gradient.data, dx, accumulate));
      if (isInArena())
        lifetime.ended = "the pullback is over and its memory belongs to later gradients; keep(dy) inside the pullback";
    },
    y.lifetime,
  );
  watching.now?.users?.set(wrapped, y);
  return wrapped;
}

/** What the pullback of a custom op returned, checked: one gradient or null for each input. */
function readGradients(name: string, found: readonly (Tensor | null)[], inputs: readonly Tensor[]): readonly (Tensor | null)[] {
  readList(name, "the result of the pullback", found);
  if (found.length !== inputs.length) {
    throw new GradientError(
      name,
      `the pullback returned ${found.length} gradients for ${inputs.length} inputs; return null for those without`,
    );
  }
  return inputs.map((x, i) => {
    const gradient = found[i] ?? null;
    if (gradient === null) return null;
    readTensor(name, `the gradient of input ${i}`, gradient);
    if (sameShape(gradient.shape, x.shape)) return gradient;
    throw new ShapeError(
      name,
      `the gradient of input ${i} has shape ${show(gradient.shape)}, the input ${show(x.shape)}: they must be the same`,
    );
  });
}

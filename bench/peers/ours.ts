// This library: see tasks.ts. Threads and fused multiply-add come from HASHGRAD_THREADS and HASHGRAD_FMA.
import {
  add,
  backward,
  conv2d,
  crossEntropy,
  DenseVariables,
  depthwiseConv2d,
  mul,
  noGrad,
  step,
  sum,
  type Tensor,
  tensor,
  type VariableCreator,
  variable,
} from "../../src/index.ts";
import { alloc, inArena, kernels } from "../../src/kernels/index.ts";
import { toyNetwork } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { ProductVariablePool, VariableFactory } from "../../src/smh/index.ts";
import { each, numbers, runTasks, type Task } from "./program.ts";
import {
  CONV_BOTH,
  CONV_FORWARD,
  DEPTHWISE,
  INFERENCE,
  LEARNING_RATE,
  type Network,
  PRODUCTS,
  type Product,
  SCALARS,
  TRAINING,
} from "./tasks.ts";

const random = (...shape: number[]): Tensor => tensor(numbers(shape.reduce((a, b) => a * b)), shape);

/** In a step's memory, where a layer finds its input. */
function here(length: number): Float32Array {
  const made = alloc(length);
  made.set(numbers(length));
  return made;
}

const product =
  ({ m, n, k, transA = false, transB = false }: Product): Task =>
  (measure) =>
    inArena(() => {
      const [a, b, c] = [here(m * k), here(k * n), alloc(m * n)];
      measure(() => {
        kernels.gemm({ m, n, k, a, b, c, transA, transB });
        return c[0]!;
      });
    });

const convolution =
  (kernelShape: readonly number[], apply: (x: Tensor, kernel: Tensor) => Tensor, both: boolean): Task =>
  (measure) => {
    const [x, kernel] = [variable(random(32, 32, 32, 64)), variable(random(...kernelShape))];
    measure(() =>
      step(() => {
        const y = apply(x, kernel);
        if (both) backward(sum(y));
        return y.data[0]!;
      }),
    );
  };
const same = { padding: "same" } as const;
const conv = (x: Tensor, kernel: Tensor): Tensor => conv2d(x, kernel, same);

/** The variables of a network, its pool's factors of the sides that tasks.ts says. */
function variables({ d, r }: Network): VariableCreator {
  if (d === 0) return new DenseVariables();
  return new VariableFactory({ pool: new ProductVariablePool({ poolSize: d * d, fraction: (2 * (r + 0.5)) / d }) });
}

const labelsOf = (batch: number): number[] => Array.from({ length: batch }, (_, i) => i % 10);

const training =
  (net: Network): Task =>
  (measure) => {
    const { batch, height, width, channels } = net;
    const vars = variables(net);
    const model = toyNetwork(vars, { inputShape: [height, width, channels] });
    const optimizer = adam(vars.parameters(), { learningRate: LEARNING_RATE });
    const [images, labels] = [random(batch, height, width, channels), labelsOf(batch)];
    measure(() =>
      step(() => {
        const loss = crossEntropy(model(images, "training"), labels);
        backward(loss);
        optimizer.step();
        return loss.item();
      }),
    );
  };

const inference =
  (net: Network): Task =>
  (measure) => {
    const model = toyNetwork(variables(net));
    const images = random(net.batch, net.height, net.width, net.channels);
    measure(() => step(() => noGrad(() => model(images).data[0]!)));
  };

const scalars: Task = (measure) => {
  const start = variable(tensor(1));
  measure(() =>
    step(() => {
      let x: Tensor = start;
      for (let i = 0; i < 500; i++) x = add(mul(x, 1.0001), 1e-4);
      backward(x);
      return x.item();
    }),
  );
};

runTasks({
  ...each(PRODUCTS, product),
  [CONV_FORWARD]: convolution([3, 3, 64, 64], conv, false),
  [CONV_BOTH]: convolution([3, 3, 64, 64], conv, true),
  [DEPTHWISE]: convolution([3, 3, 64, 1], (x, kernel) => depthwiseConv2d(x, kernel, same), true),
  ...each(TRAINING, training),
  ...each(INFERENCE, inference),
  [SCALARS]: scalars,
});

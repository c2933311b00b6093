// This library: see tasks.ts. Threads and fused multiply-add come from HASHGRAD_THREADS and HASHGRAD_FMA.

import { kernels } from "../../src/backends/index.ts";
import {
  add,
  backward,
  DenseVariables,
  mul,
  noGrad,
  step,
  type Tensor,
  tensor,
  type VariableCreator,
  variable,
} from "../../src/index.ts";
import { alloc, type Convolution, inArena, type Numbers } from "../../src/kernels/index.ts";
import { toyNetwork } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { ProductVariablePool, VariableFactory } from "../../src/smh/index.ts";
import { update } from "../update.ts";
import { netTask } from "./ours-nets.ts";
import { each, numbers, runTasks, type Task } from "./program.ts";
import {
  CONV_BOTH,
  CONV_FORWARD,
  DEPTHWISE,
  INFERENCE,
  LEARNING_RATE,
  NET_TASKS,
  type Network,
  PRODUCTS,
  type Product,
  SCALARS,
  TRAINING,
} from "./tasks.ts";

const random = (...shape: number[]): Tensor => tensor(numbers(shape.reduce((a, b) => a * b)), shape);

/** In a step's memory, where a layer finds its input. */
function here(length: number): Numbers {
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

/** A convolution 3×3 of 32 images [32, 32, 64], padded to the same size. */
const SIZES: Convolution = {
  ...{ batch: 32, height: 32, width: 32, channels: 64, outHeight: 32, outWidth: 32, outChannels: 64, groups: 1 },
  ...{ kernelHeight: 3, kernelWidth: 3, strideY: 1, strideX: 1, dilationY: 1, dilationX: 1, padTop: 1, padLeft: 1 },
};
const PIXELS = 32 * 32 * 32 * 64;

type Arrays = Record<"x" | "kernel" | "y" | "dx" | "dy" | "dkernel", Numbers>;
/** Kernels on those images, and on as many weights. */
const onImages =
  (weights: number, compute: (arrays: Arrays) => void): Task =>
  (measure) =>
    inArena(() => {
      const [x, dy, kernel] = [here(PIXELS), here(PIXELS), here(weights)];
      const [y, dx, dkernel] = [alloc(PIXELS), alloc(PIXELS), alloc(weights)];
      measure(() => {
        compute({ x, kernel, y, dx, dy, dkernel });
        return y[0]!;
      });
    });

const forward = ({ x, kernel, y }: Arrays): void => kernels.conv2d(SIZES, x, kernel, null, y);
const both = (arrays: Arrays): void => {
  const { x, kernel, dx, dy, dkernel } = arrays;
  forward(arrays);
  kernels.conv2dInputGrad(SIZES, dy, kernel, dx, false);
  kernels.conv2dKernelGrad(SIZES, x, dy, dkernel, false);
};
const depthwise = ({ x, kernel, y, dx, dy, dkernel }: Arrays): void => {
  const sizes = { ...SIZES, multiplier: 1 };
  kernels.depthwiseConv2d(sizes, x, kernel, null, 0, y);
  kernels.depthwiseConv2dInputGrad(sizes, dy, kernel, dx, false);
  kernels.depthwiseConv2dKernelGrad(sizes, x, dy, dkernel, false);
};

/** The variables of a network, its pool's factors of the sides that tasks.ts says. */
function variables({ d, r }: Network): VariableCreator {
  if (d === 0) return new DenseVariables();
  return new VariableFactory({ pool: new ProductVariablePool({ poolSize: d * d, fraction: (2 * (r + 0.5)) / d }) });
}

const labelsOf = (batch: number): number[] => Array.from({ length: batch }, (_, i) => i % 10);

const trainingTask =
  (net: Network): Task =>
  (measure) => {
    const { batch, height, width, channels } = net;
    const vars = variables(net);
    const model = toyNetwork(vars, { inputShape: [height, width, channels] });
    const optimizer = adam(vars.parameters(), { learningRate: LEARNING_RATE });
    const [images, labels] = [random(batch, height, width, channels), labelsOf(batch)];
    measure(() => update(model, optimizer, images, labels));
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
  [CONV_FORWARD]: onImages(9 * 64 * 64, forward),
  [CONV_BOTH]: onImages(9 * 64 * 64, both),
  [DEPTHWISE]: onImages(9 * 64, depthwise),
  ...each(TRAINING, trainingTask),
  ...each(INFERENCE, inference),
  [SCALARS]: scalars,
  ...each(NET_TASKS, netTask),
});

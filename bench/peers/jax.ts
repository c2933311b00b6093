// jax-js on its WebAssembly backend, jitted, images channels first as its convolutions want them: see tasks.ts. One
// thread: its own threads need the browser's workers. A call consumes its arguments; `.ref` keeps one for
// another use.
import { defaultDevice, init, jit, lax, nn, numpy as np, valueAndGrad, vjp } from "@jax-js/jax";
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

await init("wasm");
defaultDevice("wasm");

const random = (shape: number[], scale = 1): np.Array =>
  np.array(
    numbers(shape.reduce((a, b) => a * b, 1)).map((v) => v * scale),
    { shape },
  );

/** Reads a result, which frees it: what is not read may not have been computed yet. */
const read = (x: np.Array): number => x.dataSync()[0]!;
const readAll = (xs: readonly np.Array[]): number => xs.reduce((sum, x) => sum + read(x), 0);

const product =
  ({ m, n, k, transA = false, transB = false }: Product): Task =>
  (measure) => {
    const [a, b] = [random(transA ? [k, m] : [m, k]), random(transB ? [n, k] : [k, n])];
    const multiply = jit((a: np.Array, b: np.Array) => np.matmul(transA ? a.transpose() : a, transB ? b.transpose() : b));
    measure(() => read(multiply(a.ref, b.ref)));
  };

const convolution =
  (kernelShape: number[], groups: number, both: boolean): Task =>
  (measure) => {
    const [x, dy, kernel] = [random([32, 64, 32, 32]), random([32, 64, 32, 32]), random(kernelShape)];
    const apply = (x: np.Array, kernel: np.Array): np.Array =>
      lax.convGeneralDilated(x, kernel, [1, 1], "SAME", { featureGroupCount: groups });
    const forward = jit(apply);
    const gradients = jit((x: np.Array, kernel: np.Array, dy: np.Array): np.Array[] => {
      const [y, pull] = vjp(apply, [x, kernel]);
      const [dx, dkernel] = pull(dy);
      return [y, dx, dkernel];
    });
    measure(() => (both ? readAll(gradients(x.ref, kernel.ref, dy.ref)) : read(forward(x.ref, kernel.ref))));
  };

/** Rows of the pool's product that the weights need. */
const sizesOf = ({ channels, height, width }: Network): [number, number] => [
  25 * channels * 16,
  (height / 2) * (width / 2) * 160,
];

/** kernel, matrix, bias, outBias; or bias, outBias, left, right and the two scales. */
function parametersOf(net: Network): np.Array[] {
  const [bias, outBias] = [random([16], 0.1), random([10], 0)];
  if (net.d === 0) return [random([16, net.channels, 5, 5], 0.1), random([sizesOf(net)[1] / 10, 10], 0.02), bias, outBias];
  return [bias, outBias, random([net.d, net.r], 0.3), random([net.r, net.d], 0.3), np.array(0.05), np.array(0.05)];
}

/** [kernel, matrix, bias, outBias] of the trained numbers. */
function weightsOf(net: Network, trained: np.Array[]): np.Array[] {
  if (net.d === 0) return trained;
  const [bias, outBias, left, right, kernelScale, matrixScale] = trained as [
    np.Array,
    np.Array,
    np.Array,
    np.Array,
    np.Array,
    np.Array,
  ];
  const [first, second] = sizesOf(net);
  const pool = np.matmul(left.slice([0, Math.ceil((first + second) / net.d)]), right).reshape([-1]);
  const kernel = pool.ref.slice([0, first]).reshape([16, net.channels, 5, 5]).mul(kernelScale);
  const matrix = pool
    .slice([first, first + second])
    .reshape([second / 10, 10])
    .mul(matrixScale);
  return [kernel, matrix, bias, outBias];
}

function forward(net: Network, trained: np.Array[], images: np.Array): np.Array {
  const [kernel, matrix, bias, outBias] = weightsOf(net, trained) as [np.Array, np.Array, np.Array, np.Array];
  const { batch, height, width } = net;
  const y = nn.relu(lax.conv(images, kernel, [1, 1], "SAME").add(bias.reshape([16, 1, 1])));
  const p = y.reshape([batch, 16, height / 2, 2, width / 2, 2]).max([3, 5]);
  return np.matmul(p.reshape([batch, -1]), matrix).add(outBias);
}

type State = { trained: np.Array[]; m: np.Array[]; v: np.Array[] };

/** One step of Adam; `rate` has the corrections of the first steps in it. */
function adam({ trained, m, v }: State, grads: np.Array[], rate: np.Array): State {
  const next: State = { trained: [], m: [], v: [] };
  trained.forEach((x, i) => {
    const g = grads[i]!;
    const mean = m[i]!.mul(0.9).add(g.ref.mul(0.1));
    const square = v[i]!.mul(0.999).add(g.ref.mul(g).mul(0.001));
    next.trained.push(x.sub(mean.ref.mul(rate.ref).div(np.sqrt(square.ref).add(1e-8))));
    next.m.push(mean);
    next.v.push(square);
  });
  rate.dispose();
  return next;
}

const training =
  (net: Network): Task =>
  (measure) => {
    const { batch, height, width, channels } = net;
    const images = random([batch, channels, height, width]);
    const labels = nn.oneHot(np.array(Int32Array.from({ length: batch }, (_, i) => i % 10)), 10);
    const lossOf = (trained: np.Array[], images: np.Array, labels: np.Array): np.Array =>
      nn
        .logSoftmax(forward(net, trained, images))
        .mul(labels)
        .sum()
        .mul(-1 / batch);
    const step = jit((state: State, images: np.Array, labels: np.Array, rate: np.Array): { loss: np.Array; state: State } => {
      const [loss, grads] = valueAndGrad(lossOf)(
        state.trained.map((x) => x.ref),
        images,
        labels,
      );
      return { loss, state: adam(state, grads, rate) };
    });
    const trained = parametersOf(net);
    const zeros = (): np.Array[] => trained.map((x) => np.zeros(x.shape));
    let state: State = { trained, m: zeros(), v: zeros() };
    let t = 0;
    measure(() => {
      t++;
      const rate = (LEARNING_RATE * Math.sqrt(1 - 0.999 ** t)) / (1 - 0.9 ** t);
      const result = step(state, images.ref, labels.ref, np.array(rate));
      state = result.state;
      return read(result.loss);
    });
  };

const inference =
  (net: Network): Task =>
  (measure) => {
    const [images, trained] = [random([net.batch, net.channels, net.height, net.width]), parametersOf(net)];
    const model = jit((trained: np.Array[], images: np.Array) => forward(net, trained, images));
    measure(() =>
      read(
        model(
          trained.map((x) => x.ref),
          images.ref,
        ),
      ),
    );
  };

runTasks({
  ...each(PRODUCTS, product),
  [CONV_FORWARD]: convolution([64, 64, 3, 3], 1, false),
  [CONV_BOTH]: convolution([64, 64, 3, 3], 1, true),
  [DEPTHWISE]: convolution([64, 1, 3, 3], 64, true),
  ...each(TRAINING, training),
  ...each(INFERENCE, inference),
  [SCALARS]: (measure) => {
    const chain = (x: np.Array): np.Array => {
      let y = x;
      for (let i = 0; i < 500; i++) y = y.mul(1.0001).add(1e-4);
      return y;
    };
    const gradient = valueAndGrad(chain);
    const start = np.array(1);
    measure(() => {
      const [y, dx] = gradient(start.ref);
      y.dispose();
      return read(dx);
    });
  },
});
process.exit(0);

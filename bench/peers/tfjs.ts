// TensorFlow.js: see tasks.ts. `--backend cpu` differentiates by itself. `--backend wasm` lacks kernels for gradients
// of convolutions: by hand (tfjs-gradients.ts), or, with `--backend wasm-autodiff`, by itself with those kernels
// registered. Threads: tfjs-threads.ts.
import { createRequire } from "node:module";
import "@tensorflow/tfjs-backend-cpu";
import { getThreadsCount, setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { each, options, runTasks, type Task } from "./program.ts";
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
import { checkGradients } from "./tfjs-check.ts";
import {
  convInputGradient,
  convKernelGradient,
  depthwiseInputGradient,
  depthwiseKernelGradient,
  registerGradientKernels,
} from "./tfjs-gradients.ts";
import { netTask } from "./tfjs-nets.ts";
import { random, ToyNetwork } from "./tfjs-network.ts";
import { withScriptFiles } from "./tfjs-threads.ts";

// tfjs-core leaves its gradients out until this is run; its imports of folders need require.
createRequire(import.meta.url)("@tensorflow/tfjs-core/dist/register_all_gradients.js");

const byHand = options.backend === "wasm";
if (options.backend !== "cpu") {
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", true); // with one thread, too, this build is the faster one
  setThreadsCount(Number(options.threads));
  await withScriptFiles(async () => {
    await tf.setBackend("wasm");
  });
  if (getThreadsCount() !== Number(options.threads)) throw new Error(`tfjs-wasm has ${getThreadsCount()} threads`);
  if (!byHand) registerGradientKernels();
  await checkGradients(byHand);
} else await tf.setBackend("cpu");

/** Runs `fn` and disposes of what it makes. */
const once = (fn: () => tf.Tensor | tf.Tensor[]) => (): number => {
  tf.tidy(() => {
    fn();
  });
  return 0;
};

const product =
  ({ m, n, k, transA = false, transB = false }: Product): Task =>
  (measure) => {
    const a = random(transA ? [k, m] : [m, k]) as tf.Tensor2D;
    const b = random(transB ? [n, k] : [k, n]) as tf.Tensor2D;
    measure(once(() => tf.matMul(a, b, transA, transB)));
    tf.dispose([a, b]);
  };

const images = (): tf.Tensor4D => random([32, 32, 32, 64]) as tf.Tensor4D;
const conv = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, 1, "same");
const depthwise = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor =>
  tf.depthwiseConv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, 1, "same");

const convForward: Task = (measure) => {
  const [x, kernel] = [images(), random([3, 3, 64, 64])];
  measure(once(() => conv(x, kernel)));
  tf.dispose([x, kernel]);
};
const convBoth: Task = (measure) => {
  const [x, dy, kernel] = [images(), images(), random([3, 3, 64, 64]) as tf.Tensor4D];
  const hand = (): tf.Tensor[] => [conv(x, kernel), convInputGradient(dy, kernel), convKernelGradient(x, dy, 3)];
  measure(once(byHand ? hand : () => tf.grads(conv)([x, kernel], dy)));
  tf.dispose([x, dy, kernel]);
};
const depthwiseBoth: Task = (measure) => {
  const [x, dy, kernel] = [images(), images(), random([3, 3, 64, 1]) as tf.Tensor4D];
  const hand = (): tf.Tensor[] => [depthwise(x, kernel), depthwiseInputGradient(dy, kernel), depthwiseKernelGradient(x, dy, 3)];
  measure(once(byHand ? hand : () => tf.grads(depthwise)([x, kernel], dy)));
  tf.dispose([x, dy, kernel]);
};

const training =
  (net: Network): Task =>
  (measure) => {
    const { batch, height, width, channels } = net;
    const toy = new ToyNetwork(net);
    const x = random([batch, height, width, channels]) as tf.Tensor4D;
    const labels = tf.oneHot(
      Array.from({ length: batch }, (_, i) => i % 10),
      10,
      1,
      0,
      "float32",
    ) as tf.Tensor2D;
    const optimizer = tf.train.adam(LEARNING_RATE);
    measure(() =>
      tf.tidy(() => {
        const { value, grads } = byHand ? toy.byHand(x, labels) : toy.byAutodiff(x, labels);
        optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
        return value.dataSync()[0]!;
      }),
    );
    tf.dispose([x, labels, ...Object.values(toy.variables)]);
    optimizer.dispose();
  };

const inference =
  (net: Network): Task =>
  (measure) => {
    const toy = new ToyNetwork(net);
    const x = random([net.batch, net.height, net.width, net.channels]) as tf.Tensor4D;
    measure(() => tf.tidy(() => toy.forward(x).logits.dataSync()[0]!));
    tf.dispose([x, ...Object.values(toy.variables)]);
  };

/** Of real networks inference only: the WebAssembly backend lacks kernels for most gradients. */
const netInference = Object.fromEntries(Object.entries(NET_TASKS).filter(([, { kind }]) => kind === "inference"));

const scalars: Task = (measure) => {
  const start = tf.scalar(1);
  const chain = (x: tf.Tensor): tf.Tensor => {
    let y = x;
    for (let i = 0; i < 500; i++) y = tf.add(tf.mul(y, 1.0001), 1e-4);
    return y;
  };
  measure(() => tf.tidy(() => tf.grad(chain)(start).dataSync()[0]!));
};

runTasks({
  ...each(PRODUCTS, product),
  [CONV_FORWARD]: convForward,
  [CONV_BOTH]: convBoth,
  [DEPTHWISE]: depthwiseBoth,
  ...each(TRAINING, training),
  ...each(INFERENCE, inference),
  [SCALARS]: scalars,
  ...each(netInference, netTask),
});
process.exit(0); // the backend's threads would wait for ever

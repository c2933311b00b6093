// The gradients of the WebAssembly backend, by hand or by autodiff, against the CPU backend's, on little data.
import * as tf from "@tensorflow/tfjs-core";
import { convInputGradient, convKernelGradient, depthwiseInputGradient, depthwiseKernelGradient } from "./tfjs-gradients.ts";
import { random, ToyNetwork } from "./tfjs-network.ts";

function compare(what: string, got: tf.Tensor, want: tf.Tensor): void {
  const [a, b] = [got.dataSync(), want.dataSync()];
  const size = Math.max(...b.map(Math.abs));
  const error = Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / size;
  if (a.length !== b.length || !(error < 1e-4)) throw new Error(`gradient of ${what}: relative error ${error}`);
}

/** What the two backends make of the same data; each runs with its backend set. */
function found(byHand: boolean): Record<string, tf.Tensor> {
  const [x, dy] = [random([2, 6, 4, 3]) as tf.Tensor4D, random([2, 6, 4, 5], 0.5) as tf.Tensor4D];
  const [kernel, channelKernel] = [random([3, 3, 3, 5]) as tf.Tensor4D, random([3, 3, 3, 1]) as tf.Tensor4D];
  const channelDy = random([2, 6, 4, 3], 0.5) as tf.Tensor4D;
  const all: Record<string, tf.Tensor> = {};
  const conv = (x: tf.Tensor, k: tf.Tensor): tf.Tensor => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same");
  const depthwise = (x: tf.Tensor, k: tf.Tensor): tf.Tensor => tf.depthwiseConv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same");
  const pairs = byHand
    ? [
        [convInputGradient(dy, kernel), convKernelGradient(x, dy, 3)],
        [depthwiseInputGradient(channelDy, channelKernel), depthwiseKernelGradient(x, channelDy, 3)],
      ]
    : [tf.grads(conv)([x, kernel], dy), tf.grads(depthwise)([x, channelKernel], channelDy)];
  pairs.forEach(([dx, dk], i) => {
    all[`${i} x`] = dx!;
    all[`${i} kernel`] = dk!;
  });
  const labels = tf.oneHot(tf.tensor1d([1, 4, 9], "int32"), 10) as tf.Tensor2D;
  for (const [d, r] of [
    [0, 0],
    [60, 5],
  ] as const) {
    const net = new ToyNetwork({ batch: 3, height: 8, width: 8, channels: 2, d, r });
    const images = random([3, 8, 8, 2]) as tf.Tensor4D;
    const { value, grads } = byHand
      ? net.byHand(images, tf.cast(labels, "float32"))
      : net.byAutodiff(images, tf.cast(labels, "float32"));
    all[`${d} loss`] = value;
    for (const [name, variable] of Object.entries(net.variables)) {
      all[`${d} ${name}`] = grads[variable.name]!;
      variable.dispose();
    }
  }
  return all;
}

/**
 * Compares gradients of the current backend with those of the CPU backend.
 * @throws Error if a gradient differs.
 */
export async function checkGradients(byHand: boolean): Promise<void> {
  const backend = tf.getBackend();
  const got = found(byHand);
  await tf.setBackend("cpu");
  for (const [name, want] of Object.entries(found(false))) compare(name, got[name]!, want);
  await tf.setBackend(backend);
}

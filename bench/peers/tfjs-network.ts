// The toy network for tfjs, its gradients by tfjs's own autodiff (the CPU backend has every kernel for it) or by hand.
import * as tf from "@tensorflow/tfjs-core";
import { numbers } from "./program.ts";
import type { Network } from "./tasks.ts";
import { convKernelGradient, reluMaxPoolGradient, sumPixels } from "./tfjs-gradients.ts";

export const random = (shape: readonly number[], scale = 1): tf.Tensor =>
  tf.tidy(() => tf.mul(tf.tensor(numbers(shape.reduce((a, b) => a * b)), [...shape]), scale));

type Named = Record<string, tf.Variable>;
type Loss = { readonly value: tf.Scalar; readonly grads: tf.NamedTensorMap };

/** The trained numbers by name: kernel and matrix, or the pool's factors and two scales; and two biases. */
export class ToyNetwork {
  readonly variables: Named;
  readonly #kernelShape: [number, number, number, number];
  readonly #matrixShape: [number, number];
  readonly #sizes: [number, number];
  readonly #net: Network;

  constructor(net: Network) {
    this.#net = net;
    this.#kernelShape = [5, 5, net.channels, 16];
    this.#matrixShape = [(net.height / 2) * (net.width / 2) * 16, 10];
    this.#sizes = [25 * net.channels * 16, this.#matrixShape[0] * 10];
    const variable = (name: string, shape: number[], scale: number): tf.Variable =>
      tf.variable(random(shape, scale), true, `${name} ${tf.engine().state.numTensors}`);
    const own = { kernel: variable("kernel", this.#kernelShape, 0.1), matrix: variable("matrix", this.#matrixShape, 0.02) };
    const pooled = {
      left: variable("left", [net.d, net.r], 0.3),
      right: variable("right", [net.r, net.d], 0.3),
      kernelScale: variable("kernelScale", [1], 0.05),
      matrixScale: variable("matrixScale", [1], 0.05),
    };
    this.variables = {
      ...(net.d === 0 ? own : pooled),
      bias: variable("bias", [16], 0.1),
      outBias: variable("outBias", [10], 0),
    };
  }

  /** How many of the product's rows the weights need. */
  get #rows(): number {
    return Math.ceil((this.#sizes[0] + this.#sizes[1]) / this.#net.d);
  }

  /** The pool's slices, before they are scaled; only if the network has a pool. */
  #slices(): [tf.Tensor4D, tf.Tensor2D] {
    const { left, right } = this.variables as Record<string, tf.Tensor2D>;
    const pool = tf.reshape(tf.matMul(tf.slice(left!, [0, 0], [this.#rows, this.#net.r]), right!), [-1]);
    const [kernel, matrix] = [tf.slice(pool, [0], [this.#sizes[0]]), tf.slice(pool, [this.#sizes[0]], [this.#sizes[1]])];
    return [tf.reshape(kernel, this.#kernelShape), tf.reshape(matrix, this.#matrixShape)];
  }

  #weights(slices: [tf.Tensor4D, tf.Tensor2D] | null): [tf.Tensor4D, tf.Tensor2D] {
    const { kernel, matrix, kernelScale, matrixScale } = this.variables;
    if (slices === null) return [kernel as tf.Tensor4D, matrix as tf.Tensor2D];
    return [tf.mul(slices[0], kernelScale!), tf.mul(slices[1], matrixScale!)];
  }

  /** What the layers make of images: after relu, after pooling, and the logits. */
  forward(
    images: tf.Tensor4D,
    slices = this.slices(),
  ): { y: tf.Tensor4D; p: tf.Tensor4D; matrix: tf.Tensor2D; logits: tf.Tensor2D } {
    const [filter, matrix] = this.#weights(slices);
    const [bias, outBias] = [this.variables.bias as tf.Tensor1D, this.variables.outBias as tf.Tensor1D];
    const y = tf.fused.conv2d({ x: images, filter, strides: 1, pad: "same", bias, activation: "relu" });
    const p = tf.maxPool(y, 2, 2, "valid");
    const logits = tf.add(tf.matMul(tf.reshape(p, [images.shape[0], -1]) as tf.Tensor2D, matrix), outBias) as tf.Tensor2D;
    return { y, p, matrix, logits };
  }

  slices(): [tf.Tensor4D, tf.Tensor2D] | null {
    return this.#net.d === 0 ? null : this.#slices();
  }

  byAutodiff(images: tf.Tensor4D, labels: tf.Tensor2D): Loss {
    return tf.variableGrads(
      () => tf.losses.softmaxCrossEntropy(labels, this.forward(images).logits) as tf.Scalar,
      Object.values(this.variables),
    );
  }

  byHand(images: tf.Tensor4D, labels: tf.Tensor2D): Loss {
    const batch = images.shape[0];
    const slices = this.slices();
    const { y, p, matrix, logits } = this.forward(images, slices);
    const log = tf.logSoftmax(logits);
    const value = tf.div(tf.sum(tf.mul(labels, log)), -batch) as tf.Scalar;
    const dlogits = tf.div(tf.sub(tf.exp(log), labels), batch) as tf.Tensor2D;
    const dp = tf.reshape(tf.matMul(dlogits, tf.transpose(matrix)), p.shape) as tf.Tensor4D;
    const dz = reluMaxPoolGradient(dp, y, p);
    const dmatrix = tf.matMul(tf.transpose(tf.reshape(p, [batch, -1]) as tf.Tensor2D), dlogits);
    const dkernel = convKernelGradient(images, dz, 5);
    const own = slices === null ? { kernel: dkernel, matrix: dmatrix } : this.#poolGradients(slices, dkernel, dmatrix);
    const found: Record<string, tf.Tensor> = { ...own, bias: sumPixels(dz), outBias: tf.sum(dlogits, 0) };
    const grads = Object.fromEntries(Object.entries(found).map(([name, dx]) => [this.variables[name]!.name, dx]));
    return { value, grads };
  }

  #poolGradients(
    [kernel, matrix]: [tf.Tensor4D, tf.Tensor2D],
    dkernel: tf.Tensor,
    dmatrix: tf.Tensor,
  ): Record<string, tf.Tensor> {
    const { left, right, kernelScale, matrixScale } = this.variables as Record<string, tf.Tensor2D>;
    const [{ d, r }, rows] = [this.#net, this.#rows];
    const used = tf.slice(left!, [0, 0], [rows, r]);
    const flat = [tf.reshape(tf.mul(dkernel, kernelScale!), [-1]), tf.reshape(tf.mul(dmatrix, matrixScale!), [-1])];
    const rest = rows * d - this.#sizes[0] - this.#sizes[1];
    const dpool = tf.reshape(tf.pad(tf.concat(flat), [[0, rest]]), [rows, d]) as tf.Tensor2D;
    return {
      left: tf.pad(tf.matMul(dpool, tf.transpose(right!)), [
        [0, d - rows],
        [0, 0],
      ]),
      right: tf.matMul(tf.transpose(used), dpool),
      kernelScale: tf.reshape(tf.sum(tf.mul(dkernel, kernel)), [1]),
      matrixScale: tf.reshape(tf.sum(tf.mul(dmatrix, matrix)), [1]),
    };
  }
}

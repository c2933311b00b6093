// The real networks of tasks.ts for inference in tfjs, by hand: batch normalization is folded into kernels and biases.
import * as tf from "@tensorflow/tfjs-core";
import { fill, type Task } from "./program.ts";
import { NETS, type Net, type NetTask } from "./tasks.ts";
import { random } from "./tfjs-network.ts";

type Layer = (x: tf.Tensor4D) => tf.Tensor4D;
type Activation = "linear" | "relu" | "relu6" | "silu";

const silu = (x: tf.Tensor4D): tf.Tensor4D => tf.mul(x, tf.sigmoid(x));
const sequence =
  (...layers: Layer[]): Layer =>
  (x) =>
    layers.reduce((y, layer) => layer(y), x);

/** The layers of one network, and the count of numbers that a library would train. */
class Builder {
  parameters = 0;

  weights<T extends tf.Tensor>(name: string, ...shape: number[]): T {
    const values = fill(name, shape);
    if (!name.startsWith("moving")) this.parameters += values.length;
    return tf.tensor(values, shape) as T;
  }

  /** Kernel and bias of a convolution with batch normalization behind it. `filters` 0: depthwise. */
  folded(channels: number, filters: number, size: number): { filter: tf.Tensor4D; bias: tf.Tensor1D } {
    const outputs = filters || channels;
    const kernel = this.weights<tf.Tensor4D>("kernel", size, size, channels, filters || 1);
    const [gamma, beta] = [this.weights("gamma", outputs), this.weights<tf.Tensor1D>("beta", outputs)];
    const [mean, variance] = [this.weights("moving_mean", outputs), this.weights("moving_variance", outputs)];
    const factor = tf.mul(gamma, tf.rsqrt(tf.add(variance, 1e-5)));
    const filter = tf.mul(kernel, filters === 0 ? tf.reshape(factor, [channels, 1]) : factor) as tf.Tensor4D;
    return { filter, bias: tf.sub(beta, tf.mul(mean, factor)) as tf.Tensor1D };
  }

  convNorm(channels: number, filters: number, size: number, strides: number, activation: Activation): Layer {
    const weights = tf.tidy(() => this.folded(channels, filters, size));
    const fused = filters === 0 ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
    const options = {
      ...weights,
      strides,
      pad: (size - 1) / 2,
      activation: activation === "silu" ? "linear" : activation,
    } as const;
    const convolve: Layer = (x) => fused({ x, ...options }) as tf.Tensor4D;
    return activation === "silu" ? sequence(convolve, silu) : convolve;
  }

  squeezeExcite(channels: number, squeezed: number): Layer {
    const conv = (inputs: number, outputs: number): Layer => {
      const filter = this.weights<tf.Tensor4D>("kernel", 1, 1, inputs, outputs);
      const bias = this.weights<tf.Tensor1D>("bias", outputs);
      return (x) => tf.fused.conv2d({ x, filter, strides: 1, pad: 0, bias });
    };
    const gate = sequence(conv(channels, squeezed), silu, conv(squeezed, channels), (x) => tf.sigmoid(x));
    return (x) => tf.mul(x, gate(tf.mean(x, [1, 2], true)));
  }

  /** The mean of each channel and a matrix; logits [batch, 1, 1, 10]. */
  classifier(channels: number): Layer {
    const matrix = this.weights<tf.Tensor2D>("kernel", channels, 10);
    const bias = this.weights<tf.Tensor1D>("bias", 10);
    return (x) => tf.reshape(tf.add(tf.matMul(tf.mean(x, [1, 2]) as tf.Tensor2D, matrix), bias), [-1, 1, 1, 10]);
  }

  basicBlock(channels: number, filters: number, stride: number): Layer {
    const first = this.convNorm(channels, filters, 3, stride, "relu");
    const branch = sequence(first, this.convNorm(filters, filters, 3, 1, "linear"));
    const zeros = (filters - channels) / 2;
    const shortcut: Layer = (x) => {
      const pixels = tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, stride, stride, 1]) as tf.Tensor4D;
      return tf.pad4d(pixels, [
        [0, 0],
        [0, 0],
        [0, 0],
        [zeros, zeros],
      ]);
    };
    return (x) => tf.relu(tf.add(branch(x), stride === 1 ? x : shortcut(x)));
  }

  resnet20(): Layer {
    const layers = [this.convNorm(1, 16, 3, 1, "relu")];
    let channels = 16;
    for (const filters of [16, 32, 64]) {
      for (let i = 0; i < 3; i++, channels = filters) {
        layers.push(this.basicBlock(channels, filters, i === 0 && filters > 16 ? 2 : 1));
      }
    }
    return sequence(...layers, this.classifier(64));
  }

  /** Rows: expansion, kernel size, channels, blocks, stride of the first block. */
  mobile(
    stem: number,
    activation: Activation,
    squeezes: boolean,
    rows: readonly (readonly [number, number, number, number, number])[],
  ): Layer {
    const layers = [this.convNorm(3, stem, 3, 2, activation)];
    let channels = stem;
    for (const [expansion, size, filters, repeats, stride] of rows) {
      for (let i = 0; i < repeats; i++, channels = filters) {
        const [expanded, step] = [channels * expansion, i === 0 ? stride : 1];
        const expand = expansion === 1 ? [] : [this.convNorm(channels, expanded, 1, 1, activation)];
        const depthwise = this.convNorm(expanded, 0, size, step, activation);
        const squeeze = squeezes ? [this.squeezeExcite(expanded, Math.floor(channels / 4))] : [];
        const branch = sequence(...expand, depthwise, ...squeeze, this.convNorm(expanded, filters, 1, 1, "linear"));
        layers.push(step === 1 && channels === filters ? (x) => tf.add(x, branch(x)) : branch);
      }
    }
    return sequence(...layers, this.convNorm(channels, 1280, 1, 1, activation), this.classifier(1280));
  }
}

// biome-ignore format: a row per stage
const models: Readonly<Record<Net, (build: Builder) => Layer>> = {
  "ResNet-20": (build) => build.resnet20(),
  "MobileNetV2 ×0.5": (build) => build.mobile(16, "relu6", false, [
    [1, 3, 8, 1, 1],
    [6, 3, 16, 2, 2],
    [6, 3, 16, 3, 2],
    [6, 3, 32, 4, 2],
    [6, 3, 48, 3, 1],
    [6, 3, 80, 3, 2],
    [6, 3, 160, 1, 1],
  ]),
  "EfficientNet-B0": (build) => build.mobile(32, "silu", true, [
    [1, 3, 16, 1, 1],
    [6, 3, 24, 2, 2],
    [6, 5, 40, 2, 2],
    [6, 3, 80, 3, 2],
    [6, 5, 112, 3, 1],
    [6, 5, 192, 4, 2],
    [6, 3, 320, 1, 1],
  ]),
};

export const netTask =
  ({ net, batch }: NetTask): Task =>
  (measure) => {
    tf.tidy(() => {
      const [build, x] = [new Builder(), random([batch, ...NETS[net]]) as tf.Tensor4D];
      const model = models[net](build);
      const logits = (): Float32Array => tf.tidy(() => model(x).dataSync()) as Float32Array;
      measure(() => logits()[0]!, { parameters: build.parameters, results: [...logits()] });
    });
  };

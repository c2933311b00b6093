// Gradients that tfjs-wasm has no kernels for, or slow ones, from operations it is fast at. Convolutions have stride 1
// and padding "same", kernels odd sides. One thread, 32 images of 32×32×64, kernel 3×3×64×64: the image's gradient 80
// ms (conv2dDerInput 1,030), the kernel's 210 ms (as products, tap by tap: 290 to 690).
import * as tf from "@tensorflow/tfjs-core";

type Pads = [[number, number], [number, number], [number, number], [number, number]];
const padded = (side: number): Pads => {
  const pad = (side - 1) / 2;
  return [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
};

/** A convolution with the kernel turned round. */
export function convInputGradient(dy: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor4D {
  return tf.conv2d(dy, tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]), 1, "same");
}

/** A convolution of x, its channels as images and its images as channels, with dy as the kernel. */
export function convKernelGradient(x: tf.Tensor4D, dy: tf.Tensor4D, side: number): tf.Tensor4D {
  const turned = tf.conv2d(tf.transpose(x, [3, 1, 2, 0]), tf.transpose(dy, [1, 2, 0, 3]), 1, padded(side));
  return tf.transpose(turned, [1, 2, 0, 3]);
}

export function depthwiseInputGradient(dy: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor4D {
  return tf.depthwiseConv2d(dy, tf.reverse(kernel, [0, 1]), 1, "same");
}

/**
 * As for conv2d, each channel of each image by itself (55 ms), then summed over images; products tap by tap take 300.
 */
export function depthwiseKernelGradient(x: tf.Tensor4D, dy: tf.Tensor4D, side: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const turned = (y: tf.Tensor4D): tf.Tensor => tf.transpose(y, [1, 2, 0, 3]);
  const image = tf.reshape(turned(x), [1, height, width, batch * channels]) as tf.Tensor4D;
  const kernel = tf.reshape(turned(dy), [height, width, batch * channels, 1]) as tf.Tensor4D;
  const each = tf.depthwiseConv2d(image, kernel, 1, padded(side));
  return tf.reshape(tf.sum(tf.reshape(each, [side * side, batch, channels]), 1), [side, side, channels, 1]);
}

/** Every pixel four times. */
function doubled(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const pixels = tf.reshape(x, [batch * height * width, 1, channels]);
  const rows = tf.reshape(tf.concat([pixels, pixels], 1), [batch * height, 1, 2 * width * channels]);
  return tf.reshape(tf.concat([rows, rows], 1), [batch, 2 * height, 2 * width, channels]);
}

/**
 * Gradient of p = max pool 2×2 of y = relu(x), even sides, by x: where y is its window's maximum and above 0. Faster
 * than the MaxPoolGrad kernel; equal maxima all get the gradient, which takes no more time.
 */
export function reluMaxPoolGradient(dp: tf.Tensor4D, y: tf.Tensor4D, p: tf.Tensor4D): tf.Tensor4D {
  const less = tf.step(tf.sub(doubled(p), y));
  return tf.mul(doubled(tf.mul(dp, tf.step(p))), tf.sub(1, less));
}

/** The sum over everything but the last axis; tf.sum takes 17 times as long. */
export function sumPixels(x: tf.Tensor4D): tf.Tensor1D {
  const rows = tf.reshape(x, [-1, x.shape[3]]) as tf.Tensor2D;
  return tf.reshape(tf.matMul(tf.ones([1, rows.shape[0]]), rows), [-1]);
}

/** Gives the WebAssembly backend the kernels that its autodiff asks for and does not find. */
export function registerGradientKernels(): void {
  const register = (kernelName: string, gradient: (inputs: Record<string, tf.Tensor4D>, shape: number[]) => tf.Tensor4D): void =>
    tf.registerKernel({
      kernelName,
      backendName: "wasm",
      kernelFunc: ({ inputs, attrs }) => gradient(inputs as Record<string, tf.Tensor4D>, attrs?.filterShape as number[]),
    });
  register("Conv2DBackpropFilter", ({ x, dy }, shape) => convKernelGradient(x!, dy!, shape[0]!));
  register("DepthwiseConv2dNativeBackpropFilter", ({ x, dy }, shape) => depthwiseKernelGradient(x!, dy!, shape[0]!));
  register("DepthwiseConv2dNativeBackpropInput", ({ dy, filter }) => depthwiseInputGradient(dy!, filter!));
}

// What is measured, the same for every library: names and sizes.

/** m, n, k, and which of the two matrices is read transposed. */
export type Product = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
};

/** Matrix products. */
export const PRODUCTS: Readonly<Record<string, Product>> = {
  "gemm 64³": { m: 64, n: 64, k: 64 },
  "gemm 256³": { m: 256, n: 256, k: 256 },
  "gemm 512³": { m: 512, n: 512, k: 512 },
  "gemm 512³ aᵀ·b": { m: 512, n: 512, k: 512, transA: true },
  "gemm 512³ a·bᵀ": { m: 512, n: 512, k: 512, transB: true },
  "gemm 1024³": { m: 1024, n: 1024, k: 1024 },
  "gemm 837×167·167×837": { m: 837, n: 837, k: 167 },
  "gemm 100352×25·25×16": { m: 100_352, n: 16, k: 25 },
};

export const CONV_FORWARD = "conv 32×32×32×64, 3×3×64×64, forward";
export const CONV_BOTH = "conv 32×32×32×64, 3×3×64×64, forward and backward";
export const DEPTHWISE = "depthwise 32×32×32×64, 3×3, forward and backward";
export const SCALARS = "1,000 scalar ops, forward and backward";

/** The images, and the sides of the pool's factors `[d, r] · [r, d]`; r is 0 for a network of its own weights. */
export type Network = {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly d: number;
  readonly r: number;
};
const TOY = { height: 28, width: 28, channels: 1 };

/**
 * The toy network (conv 5×5×16 same, relu, max pool 2×2, dense, cross entropy, Adam): one training step. Compressed, kernel and matrix
 * are slices of one product, each times a learned number; biases stay by themselves. A pool's sizes: docs/smh.md.
 */
export const TRAINING: Readonly<Record<string, Network>> = {
  "toy net, dense, training step, batch 128": { ...TOY, batch: 128, d: 0, r: 0 },
  "toy net, SMH 0.4, training step, batch 128": { ...TOY, batch: 128, d: 179, r: 35 },
  "toy net, dense, training step, batch 32": { ...TOY, batch: 32, d: 0, r: 0 },
  "toy net, SMH 0.4, training step, batch 32": { ...TOY, batch: 32, d: 179, r: 35 },
  "128×128 net, SMH 0.4, training step, batch 8": { height: 128, width: 128, channels: 3, batch: 8, d: 837, r: 167 },
};

export const INFERENCE: Readonly<Record<string, Network>> = {
  "toy net, inference, batch 1": { ...TOY, batch: 1, d: 0, r: 0 },
  "toy net, inference, batch 256": { ...TOY, batch: 256, d: 0, r: 0 },
};

export const LEARNING_RATE = 1e-4;

/** In the order of the table. */
export const ROWS: readonly string[] = [
  ...Object.keys(PRODUCTS),
  CONV_FORWARD,
  CONV_BOTH,
  DEPTHWISE,
  ...Object.keys(TRAINING),
  ...Object.keys(INFERENCE),
  SCALARS,
];

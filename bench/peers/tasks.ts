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
 * The toy network (conv 5×5×16 same, relu, max pool 2×2, dense, cross entropy, Adam): one training step. Compressed,
 * kernel and matrix are slices of one product, each times a learned number; biases stay by themselves. A pool's sizes:
 * docs/smh.md.
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

/** Real networks of ten classes, without dropout and stochastic depth: height, width and channels of their images. */
export const NETS = {
  "ResNet-20": [28, 28, 1],
  "MobileNetV2 ×0.5": [32, 32, 3],
  "EfficientNet-B0": [64, 64, 3],
} as const;
export type Net = keyof typeof NETS;

/** A compressed network takes kernels and matrices from a product pool of a tenth of their numbers. */
export type NetTask = { readonly net: Net; readonly batch: number; readonly kind: "training" | "SMH 0.1" | "inference" };

/** Training steps are steps of SGD with momentum, on the same images each time. */
export const NET_TASKS: Readonly<Record<string, NetTask>> = Object.fromEntries(
  (Object.keys(NETS) as Net[]).flatMap((net) => [
    ...[32, 128].map((batch) => [`${net}, training step, batch ${batch}`, { net, batch, kind: "training" }]),
    ...[32, 128].map((batch) => [`${net}, SMH 0.1, training step, batch ${batch}`, { net, batch, kind: "SMH 0.1" }]),
    ...[1, 64].map((batch) => [`${net}, inference, batch ${batch}`, { net, batch, kind: "inference" }]),
  ]),
);

/** The rate is large enough that the loss after one update shows a wrong gradient. */
export const SGD = { learningRate: 0.01, momentum: 0.9 } as const;

/** Rows of the first table, then of the table of real networks. */
export const SMALL_ROWS: readonly string[] = [
  ...Object.keys(PRODUCTS),
  CONV_FORWARD,
  CONV_BOTH,
  DEPTHWISE,
  ...Object.keys(TRAINING),
  ...Object.keys(INFERENCE),
  SCALARS,
];
export const NET_ROWS: readonly string[] = Object.keys(NET_TASKS);
export const ROWS: readonly string[] = [...SMALL_ROWS, ...NET_ROWS];

/** Rows whose peak memory is compared, each in a process of its own. */
export const MEMORY_ROWS: readonly string[] = [
  "ResNet-20, training step, batch 128",
  "MobileNetV2 ×0.5, training step, batch 128",
  "EfficientNet-B0, training step, batch 32",
  ...NET_ROWS.filter((row) => row.endsWith("inference, batch 64")),
];

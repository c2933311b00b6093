import type { Shape } from "../tensor/index.ts";

// The names of the families of `hashgrad/models` in PyTorch: those of torchvision, and for CIFAR ResNets those of
// torchvision's ResNet.

/**
 * A layer of a block: the stage and the number of the block in the stage, the number of the block in the model, and the
 * block's layers.
 */
type Place = {
  readonly stage: number;
  readonly index: number;
  readonly block: number;
  readonly layer: string;
  readonly layers: ReadonlySet<string>;
};

type Family = {
  /** The names of layers outside the blocks, by the counts of stages and blocks. */
  readonly outside: (stages: number, blocks: number) => Readonly<Record<string, string>>;
  readonly inside: (place: Place) => string | undefined;
};

const LEAVES: Readonly<Record<string, string>> = {
  kernel: "weight",
  bias: "bias",
  gamma: "weight",
  beta: "bias",
  moving_mean: "running_mean",
  moving_variance: "running_var",
};

const RESIDUAL: Readonly<Record<string, string>> = {
  conv1: "conv1",
  norm1: "bn1",
  conv2: "conv2",
  norm2: "bn2",
  conv3: "conv3",
  norm3: "bn3",
  shortcut: "downsample.0",
  shortcutNorm: "downsample.1",
};

const resNet: Family = {
  outside: () => ({ conv1: "conv1", norm1: "bn1", fc: "fc" }),
  inside: ({ stage, index, layer }) => RESIDUAL[layer] && `layer${stage}.${index}.${RESIDUAL[layer]}`,
};

/** The parts of an inverted residual block in order. `squeeze` stands for the whole of squeeze and excitation. */
const PARTS = ["expand", "depthwise", "squeeze", "project"];
/** The number of a part in its block. */
const partOf = (part: string, layers: ReadonlySet<string>): number => PARTS.filter((one) => layers.has(one)).indexOf(part);

/** MobileNetV3 and EfficientNet: each part is a module, a convolution and its norm are the modules 0 and 1 of it. */
function inverted({ layer, layers }: Place): string | undefined {
  if (layer === "squeeze") return `${partOf("squeeze", layers)}.fc1`;
  if (layer === "excite") return `${partOf("squeeze", layers)}.fc2`;
  const part = layer.replace(/Norm$/, "");
  return PARTS.includes(part) ? `${partOf(part, layers)}.${part === layer ? 0 : 1}` : undefined;
}

const around = (last: number, more: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  stem: "features.0.0",
  stemNorm: "features.0.1",
  last: `features.${last}.0`,
  lastNorm: `features.${last}.1`,
  ...more,
});

const mobileNetV2: Family = {
  outside: (_, blocks) => around(blocks + 1, { fc: "classifier.1" }),
  inside: ({ block, layer, layers }) => {
    const [part, isNorm] = [layer.replace(/Norm$/, ""), layer.endsWith("Norm")];
    if (!PARTS.includes(part)) return undefined;
    const number = partOf(part, layers);
    // The projection and its norm are modules of the block itself.
    return `features.${block}.conv.${part === "project" ? number + Number(isNorm) : `${number}.${Number(isNorm)}`}`;
  },
};

const mobileNetV3: Family = {
  outside: (_, blocks) => around(blocks + 1, { hidden: "classifier.0", fc: "classifier.3" }),
  inside: (place) => under(`features.${place.block}.block.`, inverted(place)),
};

const efficientNet: Family = {
  outside: (stages) => around(stages + 1, { fc: "classifier.1" }),
  inside: (place) => under(`features.${place.stage}.${place.index}.block.`, inverted(place)),
};

const under = (path: string, name: string | undefined): string | undefined => name && path + name;

/** The family of a model, by the names of its variables; null for another model. */
function familyOf(names: readonly string[]): Family | null {
  if (names.includes("conv1/kernel") && names.includes("fc/kernel")) return resNet;
  if (!names.includes("stem/kernel") || !names.includes("last/kernel")) return null;
  if (names.includes("hidden/kernel")) return mobileNetV3;
  return names.some((name) => name.endsWith("/squeeze/kernel")) ? efficientNet : mobileNetV2;
}

const BLOCK = /^(layer(\d+)\/(\d+))\/([^/]+)$/;

/**
 * PyTorch's name of each variable of a model of `hashgrad/models`; null for another model. Variables that no family has
 * are left out.
 */
export function torchNames(names: readonly string[]): ReadonlyMap<string, string> | null {
  const family = familyOf(names);
  if (family === null) return null;
  const blocks = new Map<string, Set<string>>(); // the layers of each block
  const stages = new Set<string>();
  const layerOf = (name: string): string => name.slice(0, name.lastIndexOf("/"));
  for (const name of names) {
    const [, path, stage, , layer] = BLOCK.exec(layerOf(name)) ?? [];
    if (path === undefined) continue;
    blocks.set(path, (blocks.get(path) ?? new Set()).add(layer!));
    stages.add(stage!);
  }
  const outside = family.outside(stages.size, blocks.size);
  const order = [...blocks.keys()];
  const found = new Map<string, string>();
  for (const name of names) {
    const [path, leaf] = [layerOf(name), LEAVES[name.slice(name.lastIndexOf("/") + 1)]];
    const [, block, stage, index, layer] = BLOCK.exec(path) ?? [];
    const place = block === undefined ? null : { layer: layer!, layers: blocks.get(block)!, block: order.indexOf(block) + 1 };
    const torch = place === null ? outside[path] : family.inside({ ...place, stage: Number(stage), index: Number(index) });
    if (torch !== undefined && leaf !== undefined) found.set(name, `${torch}.${leaf}`);
  }
  return found;
}

/**
 * The shape in PyTorch of a variable: [out, in, height, width] of a kernel, [out, in] of a matrix, [channels, 1, …] of
 * a depthwise kernel.
 */
export function torchShape(name: string, shape: Shape): Shape {
  if (shape.length === 2) return [shape[1]!, shape[0]!];
  if (shape.length !== 4) return shape;
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  return name.endsWith("depthwise/kernel") ? [inputs, outputs, height, width] : [outputs, inputs, height, width];
}

/**
 * For each number in PyTorch's order [out, in, …], its position in the order of this library, […, in, out]. Depthwise
 * kernels included.
 */
export function libraryPositions([outputs = 1, inputs = 1, ...pixels]: Shape): Uint32Array {
  const area = pixels.reduce((a, b) => a * b, 1);
  const positions = new Uint32Array(outputs * inputs * area);
  let i = 0;
  for (let output = 0; output < outputs; output++)
    for (let input = 0; input < inputs; input++)
      for (let pixel = 0; pixel < area; pixel++) positions[i++] = (pixel * inputs + input) * outputs + output;
  return positions;
}

export {
  type BlockOptions,
  basicBlock,
  bottleneck,
  type InvertedResidualOptions,
  invertedResidual,
  type ResidualOptions,
} from "./blocks.ts";
export { type CifarResNetOptions, cifarResNet } from "./cifar-resnet.ts";
export type { ModelOptions } from "./options.ts";
export { makeDivisible } from "./stages.ts";

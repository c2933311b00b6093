/**
 * Known networks for images, and their blocks.
 * @module models
 */
export type { BlockOptions, InvertedOptions, ResidualBlock, ResidualOptions } from "./blocks.ts";
export { basicBlock, bottleneck, invertedResidual } from "./blocks.ts";
export { efficientNet } from "./efficientnet.ts";
export { type ModelOptions, makeDivisible } from "./family.ts";
export { mobileNetV2, mobileNetV3 } from "./mobilenet.ts";
export { type CifarResNetOptions, cifarResNet, resNet } from "./resnet.ts";

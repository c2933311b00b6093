/**
 * Layers. A layer is a function of tensors that asks a variable creator for its weights.
 * @module nn
 */
export { type AttentionOptions, multiHeadAttention } from "./attention.ts";
export { type Conv1dLayerOptions, conv1d } from "./conv1d.ts";
export {
  type Conv2dLayerOptions,
  type ConvLayerOptions,
  conv2d,
  type DepthwiseConv2dLayerOptions,
  depthwiseConv2d,
} from "./conv2d.ts";
export { type Conv2dTransposeLayerOptions, conv2dTranspose } from "./conv2d-transpose.ts";
export { type DenseOptions, dense } from "./dense.ts";
export { dropout, stochasticDepth } from "./dropout.ts";
export { embedding } from "./embedding.ts";
export { type Layer, sequential } from "./layer.ts";
export { type ToyNetworkOptions, toyNetwork } from "./models.ts";
export { type BatchNormLayerOptions, batchNorm, groupNorm, layerNorm, rmsNorm } from "./normalization.ts";
export { avgPool1d, avgPool2d, flatten, globalAvgPool2d, maxPool1d, maxPool2d, resize } from "./pooling.ts";
export { gru, lstm, type RecurrentOptions, type RecurrentReturns } from "./recurrent.ts";
export { residual } from "./residual.ts";
export { optionAShortcut, type ShortcutZeros } from "./shortcut.ts";
export { type SqueezeExciteOptions, squeezeExcite } from "./squeeze-excite.ts";

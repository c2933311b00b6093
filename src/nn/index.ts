export { type ConvLayerOptions, conv2d, depthwiseConv2d } from "./conv2d.ts";
export { type DenseOptions, dense } from "./dense.ts";
export { dropout } from "./dropout.ts";
export { type Layer, type Outputs, sequential } from "./layer.ts";
export { type ToyNetworkOptions, toyNetwork } from "./models.ts";
export { batchNorm, layerNorm } from "./normalization.ts";
export { avgPool2d, flatten, globalAvgPool2d, maxPool2d } from "./pooling.ts";
export { residual } from "./residual.ts";

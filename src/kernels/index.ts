import { gemm } from "./blocked.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "./im2col.ts";
import * as reference from "./reference.ts";

export type { Convolution, Depthwise } from "./conv.ts";
export type { Gemm } from "./gemm.ts";
export { alloc, allocLasting, inArena, type Lifetime, lasting, lifetimeNow, memory, type Numbers } from "./memory.ts";
export type { Reduced } from "./reduce.ts";
export type { View } from "./strided.ts";
export type { Windows } from "./windows.ts";

/** Every number-crunching loop of the library. The reference table *is* the interface. */
export type Kernels = typeof reference;

/** The faster kernels in plain TypeScript; each is held to the reference by a property. */
export const blocked: Partial<Kernels> = { gemm, conv2d, conv2dInputGrad, conv2dKernelGrad };

/** The table that ops call. */
export const kernels: Kernels = { ...reference, ...blocked };

/** Lays other kernels over the table; returns a function that puts back what was there. */
export function install(faster: Partial<Kernels>): () => void {
  const before: Kernels = { ...kernels };
  Object.assign(kernels, faster);
  return () => {
    Object.assign(kernels, before);
  };
}

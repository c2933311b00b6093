import { type Convolution, type Gemm, reference, type SlabSource, type Windows } from "../../kernels/index.ts";
import * as im2col from "../plain/conv.ts";
import { binary, fusedPatch } from "./binary.ts";
import { createInstance, type InstanceOptions } from "./instance.ts";
import { type LoopExports, type Loops, loops } from "./loops.ts";
import { FEW } from "./maps.ts";
import { createOperands } from "./operands.ts";
import { takeOrTrim } from "./space.ts";
import { maySleep } from "./workers.ts";

/** What assembly/index.ts exports. Pointers are byte addresses; `shared` and `work` are memory for one call, as large as the functions beside them say. */
type Exports = {
  readonly sizesAt: () => number;
  readonly gemmWork: (m: number, n: number, k: number) => number;
  readonly gemm: (...numbers: (number | boolean)[]) => void;
  readonly conv2dShared: (turned: boolean) => number;
  readonly conv2dOwn: (turned: boolean) => number;
  readonly conv2d: (x: number, kernel: number, bias: number, y: number, shared: number, work: number) => void;
  readonly conv2dKernelGradShared: () => number;
  readonly conv2dKernelGradOwn: () => number;
  readonly conv2dKernelGrad: Convolve;
  readonly conv2dInputGradShared: () => number;
  readonly conv2dInputGradOwn: () => number;
  readonly conv2dInputGrad: Convolve;
  readonly depthwiseOwn: (turned: boolean) => number;
  readonly depthwise: (x: number, kernel: number, y: number, accumulate: boolean, work: number) => void;
  readonly depthwiseInputGrad: Convolve;
  readonly depthwiseInputGradOwn: () => number;
  readonly depthwiseKernelGradOwn: () => number;
  readonly depthwiseKernelGradShared: () => number;
  readonly depthwiseKernelGrad: Convolve;
  readonly maxPool: (x: number, y: number) => void;
  readonly maxPoolGradWork: () => number;
  readonly maxPoolGrad: (x: number, y: number, dy: number, dx: number, accumulate: boolean, work: number) => void;
} & LoopExports;
type Convolve = (a: number, b: number, c: number, accumulate: boolean, shared: number, work: number) => void;

/** Kernels in WebAssembly, and the memory they work in: arrays that lie there are read in place, others are copied in and out. */
export type WasmBackend = {
  readonly kernels: Loops &
    Pick<
      typeof reference,
      | "gemm"
      | "conv2d"
      | "conv2dInputGrad"
      | "conv2dKernelGrad"
      | "depthwiseConv2d"
      | "depthwiseConv2dInputGrad"
      | "depthwiseConv2dKernelGrad"
      | "maxPool"
      | "maxPoolGrad"
    >;
  /** Memory for arrays that kernels read in place. */
  readonly slabs: SlabSource;
  /** How many threads share large work, the calling one among them; the others start when there is such work. */
  readonly setThreads: (count: number) => void;
  /** For tests: lets a thread fail in the next job that has workers, see assembly/threads.ts. */
  readonly injectFault: (kind: number) => void;
  /** For tests: throws if a kernel wrote beyond its work memory or its operands' copies. */
  readonly checkCanaries: (kernel: string) => void;
};

/** `fused`: multiply-add rounds once. `canaries`: see operands.ts. The others: see instance.ts. */
export type WasmOptions = InstanceOptions & { readonly fused?: boolean; readonly canaries?: boolean };

/** Below so many multiplications the plain kernel is done before a call is. */
const FEW_PRODUCTS = 4096;

/** The module's bytes; the fused module is a patch of the other. */
function bytes(fused: boolean): Uint8Array {
  const unfused = decoded(binary);
  return fused ? patched(unfused, decoded(fusedPatch)) : unfused;
}

/** Bytes from text that `npm run build:wasm` wrote: see `text` in bench/build-wasm.ts. */
function decoded(text: string): Uint8Array {
  const found = new Uint8Array(text.length);
  let [length, at] = [0, 0];
  const digit = (): number => {
    const code = text.charCodeAt(at++);
    return code === 33 ? 57 : code - 35; // "!" stands for the backslash
  };
  while (at < text.length) {
    const first = digit();
    found[length++] = (first < 90 ? first : 92 * (first - 90) + 90 + digit()) - 4;
  }
  return found.subarray(0, length);
}

/** The bytes a patch makes of others: again and again how many are new, these, and how many follow from where. Numbers are LEB128. */
function patched(from: Uint8Array, patch: Uint8Array): Uint8Array {
  const made: number[] = [];
  let at = 0;
  const number = (): number => {
    let [n, unit] = [0, 1];
    for (; patch[at]! > 127; unit *= 128) n += (patch[at++]! - 128) * unit;
    return n + patch[at++]! * unit;
  };
  while (at < patch.length) {
    const fresh = number();
    made.push(...patch.subarray(at, at + fresh));
    at += fresh;
    const [length, begin] = [number(), number()];
    made.push(...from.subarray(begin, begin + length));
  }
  return Uint8Array.from(made);
}

/** (a, b, c) → lane 0 of relaxed_madd(splat a, splat b, splat c), exported as "m". */
const FUSED_PROBE = "'}.}@}:('''(/(}-*}J}J}J(}J*)('.,((}:''1=(;'G'$:G($:G)$:$}R)$F'2";

/**
 * Whether multiply-add (relaxed SIMD) rounds once here. Some runtimes and processors accept the instruction and round twice, so the probe
 * computes (1 + 2⁻¹²)² − (1 + 2⁻¹¹), which is 2⁻²⁴ exactly and 0 if the product is rounded first.
 */
export function canFuse(): boolean {
  const probe = decoded(FUSED_PROBE);
  if (!WebAssembly.validate(probe)) return false;
  type Probe = { readonly m: (a: number, b: number, c: number) => number };
  const { exports } = new WebAssembly.Instance<Probe>(new WebAssembly.Module(probe), {});
  return exports.m(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) === 2 ** -24;
}

/** Throws if WebAssembly, its SIMD or shared memory is missing. */
export function wasmBackend({ fused = false, canaries = false, ...options }: WasmOptions = {}): WasmBackend {
  const module = new WebAssembly.Module(bytes(fused));
  const { exports: wasm, memory, space, isHere } = createInstance<Exports>(module, options);
  const operands = createOperands(space, () => memory.buffer, isHere, canaries);
  const { address, bring, shared, own } = operands;
  const sizes = new Int32Array(memory.buffer, wasm.sizesAt(), 16);

  /** The address of a slab. What kernels keep between calls makes room for it if it must. */
  const slabAt = (bytes: number): number => takeOrTrim(space, operands.trim, bytes, "alloc", "memory for arrays");

  const writeSizes = (w: Windows, outputs: number, groups: number): void => {
    sizes.set([w.batch, w.height, w.width, w.channels, w.outHeight, w.outWidth, w.kernelHeight, w.kernelWidth]);
    sizes.set([w.strideY, w.strideX, w.dilationY, w.dilationX, w.padTop, w.padLeft, outputs, groups], 8);
  };
  const isSmall = (s: Convolution): boolean =>
    (s.batch * s.outHeight * s.outWidth * s.outChannels * s.kernelHeight * s.kernelWidth * s.channels) / s.groups < FEW_PRODUCTS;

  const gemm = (g: Gemm): void => {
    const { m, n, k, a, b, c, transA = false, transB = false, accumulate = false, bias = null } = g;
    if (m * n * k < FEW_PRODUCTS) return reference.gemm(g);
    const [pa, pb, pc] = [address(0, a, true), address(1, b, true), address(2, c, accumulate)];
    const pbias = bias === null ? 0 : address(3, bias, true);
    const panels = own(wasm.gemmWork(m, n, k));
    wasm.gemm(m, n, k, pa, transA ? 1 : k, transA ? m : 1, pb, transB ? 1 : n, transB ? k : 1, pc, n, accumulate, pbias, panels);
    bring(pc, c);
  };

  return {
    slabs: {
      take: (length) => {
        const begin = slabAt(4 * length); // first: it may change memory.buffer
        return new Float32Array(memory.buffer, begin, length);
      },
      give: (slab) => space.give(slab.byteOffset),
    },
    setThreads: (count) => wasm.setThreads(count, maySleep()),
    injectFault: wasm.injectFault,
    checkCanaries: operands.checkCanaries,
    kernels: {
      ...loops(wasm, { ...operands, writeSizes: (w) => writeSizes(w, 0, 0) }),
      gemm,
      conv2d: (s, x, kernel, bias, y) => {
        if (isSmall(s)) return im2col.conv2d(s, x, kernel, bias, y);
        if (im2col.isPointwise(s)) {
          gemm({ m: x.length / s.channels, n: s.outChannels, k: s.channels, a: x, b: kernel, c: y, bias });
          return;
        }
        const [px, pk, py] = [address(0, x, true), address(1, kernel, true), address(2, y, false)];
        const pbias = bias === null ? 0 : address(3, bias, true);
        writeSizes(s, s.outChannels, s.groups);
        wasm.conv2d(px, pk, pbias, py, shared(wasm.conv2dShared(false)), own(wasm.conv2dOwn(false)));
        bring(py, y);
      },
      conv2dKernelGrad: (s, x, dy, dkernel, accumulate) => {
        if (isSmall(s)) return im2col.conv2dKernelGrad(s, x, dy, dkernel, accumulate);
        const [px, pdy, pdk] = [address(0, x, true), address(1, dy, true), address(2, dkernel, accumulate)];
        writeSizes(s, s.outChannels, s.groups);
        const [sums, frames] = [shared(wasm.conv2dKernelGradShared()), own(wasm.conv2dKernelGradOwn())];
        wasm.conv2dKernelGrad(px, pdy, pdk, accumulate, sums, frames);
        bring(pdk, dkernel);
      },
      conv2dInputGrad: (s, dy, kernel, dx, accumulate) => {
        if (isSmall(s)) return im2col.conv2dInputGrad(s, dy, kernel, dx, accumulate);
        if (im2col.isPointwise(s)) {
          const m = dx.length / s.channels;
          return gemm({ m, n: s.channels, k: s.outChannels, a: dy, b: kernel, transB: true, c: dx, accumulate });
        }
        const [pdy, pk, pdx] = [address(0, dy, true), address(1, kernel, true), address(2, dx, accumulate)];
        writeSizes(s, s.outChannels, s.groups);
        const [panels, frames] = [shared(wasm.conv2dInputGradShared()), own(wasm.conv2dInputGradOwn())];
        wasm.conv2dInputGrad(pdy, pk, pdx, accumulate, panels, frames);
        bring(pdx, dx);
      },
      depthwiseConv2d: (s, x, kernel, y, accumulate) => {
        if (s.multiplier !== 1 || y.length < FEW) return reference.depthwiseConv2d(s, x, kernel, y, accumulate);
        const [px, pk, py] = [address(0, x, true), address(1, kernel, true), address(2, y, accumulate)];
        writeSizes(s, s.channels, s.channels);
        wasm.depthwise(px, pk, py, accumulate, own(wasm.depthwiseOwn(false)));
        bring(py, y);
      },
      depthwiseConv2dInputGrad: (s, dy, kernel, dx, accumulate) => {
        if (s.multiplier !== 1 || dy.length < FEW) return reference.depthwiseConv2dInputGrad(s, dy, kernel, dx, accumulate);
        const [pdy, pk, pdx] = [address(0, dy, true), address(1, kernel, true), address(2, dx, accumulate)];
        writeSizes(s, s.channels, s.channels);
        const zeros = own(wasm.depthwiseInputGradOwn());
        wasm.depthwiseInputGrad(pdy, pk, pdx, accumulate, shared(kernel.byteLength), zeros);
        bring(pdx, dx);
      },
      depthwiseConv2dKernelGrad: (s, x, dy, dkernel, accumulate) => {
        if (s.multiplier !== 1 || dy.length < FEW) return reference.depthwiseConv2dKernelGrad(s, x, dy, dkernel, accumulate);
        const [px, pdy, pdk] = [address(0, x, true), address(1, dy, true), address(2, dkernel, accumulate)];
        writeSizes(s, s.channels, s.channels);
        const [sums, zeros] = [shared(wasm.depthwiseKernelGradShared()), own(wasm.depthwiseKernelGradOwn())];
        wasm.depthwiseKernelGrad(px, pdy, pdk, accumulate, sums, zeros);
        bring(pdk, dkernel);
      },
      maxPool: (w, x, y) => {
        if (x.length < FEW) return reference.maxPool(w, x, y);
        const [px, py] = [address(0, x, true), address(1, y, false)];
        writeSizes(w, 0, 0);
        wasm.maxPool(px, py);
        bring(py, y);
      },
      maxPoolGrad: (w, x, y, dy, dx, accumulate) => {
        if (x.length < FEW) return reference.maxPoolGrad(w, x, y, dy, dx, accumulate);
        const [px, py, pdy] = [address(0, x, true), address(1, y, true), address(2, dy, true)];
        const pdx = address(3, dx, accumulate);
        writeSizes(w, 0, 0);
        wasm.maxPoolGrad(px, py, pdy, pdx, accumulate, own(wasm.maxPoolGradWork()));
        bring(pdx, dx);
      },
    },
  };
}

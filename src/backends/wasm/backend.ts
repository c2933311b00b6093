import {
  type Convolution,
  type Gemm,
  type Kernels,
  reference,
  type SlabSource,
  SMALL_WORK,
  type Windows,
} from "../../kernels/index.ts";
import { conv2d, conv2dInputGrad, conv2dKernelGrad } from "../plain/conv.ts";
import { binary, fusedPatch } from "./binary.ts";
import { type Exports as Bindable, bind } from "./bind.ts";
import { createInstance, type InstanceOptions } from "./instance.ts";
import { createOperands, type Operands } from "./operands.ts";
import { takeOrTrim } from "./space.ts";
import { maySleep } from "./workers.ts";

/** Exports of assembly/index.ts that this file calls itself, not through `bind`. */
type Exports = { readonly sizesAt: () => number; readonly gemm: (...values: (number | boolean)[]) => void };

/**
 * The kernels of one WebAssembly instance, and its memory. Kernels use arrays in this memory in place and copy all
 * other arrays.
 */
export type WasmBackend = {
  readonly kernels: Partial<Kernels>;
  /** Memory for arrays that kernels read in place. */
  readonly slabs: SlabSource;
  /** Sets the number of threads that share large work, the caller included. Workers start at the first large work. */
  readonly setThreads: (count: number) => void;
  /** For tests: lets a thread fail in the next job that has workers, see assembly/threads.ts. */
  readonly injectFault: (kind: number) => void;
  /** For tests: throws if a kernel wrote beyond its work memory or its operands' copies. */
  readonly checkCanaries: (kernel: string) => void;
};

/** `fused`: multiply-add rounds once. `canaries`: see operands.ts. `pages` and `onLost`: see instance.ts. */
export type WasmOptions = InstanceOptions & { readonly fused?: boolean; readonly canaries?: boolean };

/**
 * The bytes of the module. The module with fused multiply-add is stored as a patch of the other module, because a
 * second complete module would add 24 kB to the gzipped library.
 */
export function bytes(fused: boolean): Uint8Array {
  const unfused = decoded(binary);
  return fused ? patched(unfused, decoded(fusedPatch)) : unfused;
}

/** Bytes from text that `npm run build:wasm` wrote: see `text` in build.ts. */
function decoded(text: string): Uint8Array {
  const found = new Uint8Array(text.length);
  let length = 0;
  let high = -1; // the first of two digits, minus 90; −1 if the next digit is the first
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const digit = code === 33 ? 57 : code - 35; // "!" stands for the backslash
    if (high < 0 && digit >= 90) high = digit - 90;
    else {
      found[length++] = (high < 0 ? digit : 92 * high + 90 + digit) - 4;
      high = -1;
    }
  }
  return found.subarray(0, length);
}

/** Applies a patch of `patchOf` in build.ts. */
function patched(from: Uint8Array, patch: Uint8Array): Uint8Array {
  let [at, length] = [0, 0];
  const number = (): number => {
    let [n, unit] = [0, 1];
    for (; patch[at]! > 127; unit *= 128) n += (patch[at++]! - 128) * unit;
    return n + patch[at++]! * unit;
  };
  const to = new Uint8Array(number());
  const append = (bytes: Uint8Array): void => {
    to.set(bytes, length);
    length += bytes.length;
  };
  while (at < patch.length) {
    const fresh = number();
    append(patch.subarray(at, at + fresh));
    at += fresh;
    const [run, begin] = [number(), number()];
    append(from.subarray(begin, begin + run));
  }
  return to;
}

/** (a, b, c) → lane 0 of relaxed_madd(splat a, splat b, splat c), exported as "m". */
const FUSED_PROBE = "'}.}@}:('''(/(}-*}J}J}J(}J*)('.,((}:''1=(;'G'$:G($:G)$:$}R)$F'2";

/**
 * Returns whether relaxed SIMD's multiply-add rounds once on this machine. Some runtimes and processors accept the
 * instruction and round twice. The probe computes (1 + 2⁻¹²)² − (1 + 2⁻¹¹): exactly 2⁻²⁴, or 0 if the product is
 * rounded first.
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
  const workMemory = (region: number, bytes: number): number => {
    if (bytes === 0) return 0;
    return region === 0 ? operands.shared(bytes) : operands.perThread(bytes);
  };
  const { exports: wasm, memory, space, isHere } = createInstance<Exports>(module, { ...options, workMemory });
  const operands: Operands = createOperands(space, () => memory.buffer, isHere, canaries);
  const { address, bring } = operands;
  const sizes = new Int32Array(memory.buffer, wasm.sizesAt(), 16);

  /**
   * The address of a new slab. If memory is short, frees the copies and the work memory that kernels keep between
   * calls.
   */
  const slabAt = (bytes: number): number => takeOrTrim(space, operands.trim, bytes, "alloc", "memory for arrays");

  const writeSizes = (w: Windows & Partial<Convolution>): void => {
    sizes.set([w.batch, w.height, w.width, w.channels, w.outHeight, w.outWidth, w.kernelHeight, w.kernelWidth]);
    const { outChannels = w.channels, groups = w.channels } = w; // the defaults of depthwise convolution and pooling
    sizes.set([w.strideY, w.strideX, w.dilationY, w.dilationX, w.padTop, w.padLeft, outChannels, groups], 8);
  };

  const plain: Kernels = { ...reference, conv2d, conv2dInputGrad, conv2dKernelGrad };
  const gemm = (g: Gemm): void => {
    const { m, n, k, a, b, c, transA = false, transB = false, accumulate = false, bias = null } = g;
    if (m * n * k < SMALL_WORK) return reference.gemm(g);
    const [pa, pb, pc] = [address(0, a, true), address(1, b, true), address(2, c, accumulate)];
    const pbias = bias === null ? 0 : address(3, bias, true);
    wasm.gemm(m, n, k, pa, transA ? 1 : k, transA ? m : 1, pb, transB ? 1 : n, transB ? k : 1, pc, n, accumulate, pbias);
    bring(pc, c);
  };

  return {
    slabs: {
      take: (length) => {
        // Comes before the read of memory.buffer, because `slabAt` may grow the memory, which replaces the buffer.
        const begin = slabAt(4 * length);
        return new Float32Array(memory.buffer, begin, length);
      },
      give: (slab) => space.give(slab.byteOffset),
      view: (offset, length) => new Float32Array(memory.buffer, offset, length),
    },
    setThreads: (count) => wasm.setThreads(count, maySleep()),
    injectFault: wasm.injectFault,
    checkCanaries: operands.checkCanaries,
    kernels: { ...bind(wasm as object as Bindable, { ...operands, writeSizes }, plain), gemm },
  };
}

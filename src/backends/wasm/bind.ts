import {
  type Convolution,
  type Depthwise,
  type Kernels,
  type Numbers,
  type Reduced,
  signatures,
  type Windows,
} from "../../kernels/index.ts";
import type { Operands } from "./operands.ts";

/** The plain kernel handles arrays with fewer numbers: a call into WebAssembly would take longer. */
const FEW = 256;
/** The plain kernel handles products and convolutions with fewer multiplications, for the same reason. */
export const FEW_PRODUCTS: number = 4096;

/** What assembly/index.ts exports, by name. */
export type Exports = Readonly<Record<string, ((...values: (number | boolean)[]) => number) | undefined>>;

/** Finds the addresses of operands. `writeSizes` writes the geometry of windows to the block that sizes.ts reads. */
export type Binding = Operands & { readonly writeSizes: (w: Windows) => void };

type Name = keyof Kernels;
type Call = (...args: readonly unknown[]) => unknown;
type Arrays = Numbers | Int32Array | Float64Array;

/** Kernels that run in WebAssembly only if all arrays lie in its memory. Copying costs as much as the plain kernel. */
const onlyInPlace: readonly Name[] = ["axpy", "neg", "negGrad"];

const isSmallConvolution = (s: Convolution): boolean =>
  (s.batch * s.outHeight * s.outWidth * s.outChannels * s.kernelHeight * s.kernelWidth * s.channels) / s.groups < FEW_PRODUCTS;
const isSmallDepthwise = (s: Depthwise): boolean => s.multiplier !== 1 || s.batch * s.outHeight * s.outWidth * s.channels < FEW;
/** For each kernel that reads windows: true for the sizes that the plain kernel computes. */
const leftToPlain: { readonly [name: string]: ((s: never) => boolean) | undefined } = {
  conv2d: isSmallConvolution,
  conv2dInputGrad: isSmallConvolution,
  conv2dKernelGrad: isSmallConvolution,
  depthwiseConv2d: isSmallDepthwise,
  depthwiseConv2dInputGrad: isSmallDepthwise,
  depthwiseConv2dKernelGrad: isSmallDepthwise,
};

/** Kernels whose last array is the longest. For every other kernel, the length of the first array measures the work. */
const growing: readonly Name[] = ["avgPoolGrad", "sumGrad"];

const isArray = (role: string): boolean => ["in", "out", "inout", "into"].includes(role);

/**
 * Returns a function for each kernel that the module exports, with the parameters of the plain kernel. The function passes
 * to the export:
 * - the length of the array that measures the work (see `growing`);
 * - for each argument, by its role: the address of an array (0 for null), a number, a flag, or the three numbers of "sizes".
 *   The role "windows" passes nothing: `writeSizes` writes the sizes to memory.
 *
 * Arrays outside WebAssembly's memory are copied in if the kernel reads them, and copied back if the kernel writes them.
 * The plain kernel computes small work.
 */
export function bind(exports: Exports, binding: Binding, plain: Kernels): Partial<Kernels> {
  const bound: [string, Call][] = [];
  for (const [name, roles] of Object.entries(signatures) as [Name, readonly string[]][]) {
    const kernel = exports[name];
    if (kernel === undefined || roles.includes("product")) continue;
    const arrays = roles.flatMap((role, i) => (isArray(role) ? [i] : []));
    const longest = growing.includes(name) ? arrays.at(-1)! : arrays[0]!;
    const slow = plain[name] as Call;
    const called = callOf(roles, longest, kernel, binding);
    const fast: Call = onlyInPlace.includes(name)
      ? (...args) => (arrays.every((i) => binding.isHere(args[i] as Numbers)) ? called : slow)(...args)
      : called;
    const isPlain = leftToPlain[name] as ((s: unknown) => boolean) | undefined;
    bound.push([
      name,
      isPlain === undefined
        ? dispatched(roles.length, longest, slow, fast)
        : (...args) => (isPlain(args[0]) ? slow : fast)(...args),
    ]);
  }
  return Object.fromEntries(bound) as Partial<Kernels>;
}

// What `callOf` does with an argument. UPDATE: reads and writes. ADD_IF_ASKED: writes, and reads if `accumulate` is true.
const SKIP = 0;
const READ = 1;
const WRITE = 2;
const UPDATE = 3;
const ADD_IF_ASKED = 4;
const VALUE = 5;
const SIZES = 6;
const WINDOWS = 7;
const actions: { readonly [role: string]: number | undefined } = {
  in: READ,
  out: WRITE,
  inout: UPDATE,
  into: ADD_IF_ASKED,
  number: VALUE,
  flag: VALUE,
  accumulate: VALUE,
  sizes: SIZES,
  windows: WINDOWS,
};

/** Returns a function that calls the export. `longest`: the number of the argument whose length is passed first. */
function callOf(
  roles: readonly string[],
  longest: number,
  kernel: NonNullable<Exports[string]>,
  { address, bring, writeSizes }: Binding,
): Call {
  const accumulateAt = roles.indexOf("accumulate");
  const steps = roles.map((role) => actions[role] ?? SKIP);
  const written = roles.flatMap((role, i) => (isArray(role) && role !== "in" ? [i] : []));
  const places = new Array<number>(roles.length).fill(0);
  const values: (number | boolean)[] = [];
  return (...args) => {
    values[0] = (args[longest] as Numbers).length;
    let [count, staged] = [1, 0];
    for (let i = 0; i < steps.length; i++) {
      const arg = args[i];
      const step = steps[i]!;
      if (step === SKIP) continue;
      if (step <= ADD_IF_ASKED) {
        const read = step === ADD_IF_ASKED ? args[accumulateAt] === true : step !== WRITE;
        const at = arg === null ? 0 : address(staged++, bits(arg as Arrays), read);
        places[i] = at;
        values[count++] = at;
      } else if (step === VALUE) values[count++] = arg as number | boolean;
      else if (step === WINDOWS) writeSizes(arg as Windows);
      else {
        const { outer, n, inner } = arg as Reduced;
        values[count++] = outer;
        values[count++] = n;
        values[count++] = inner;
      }
    }
    const result = kernel(...values);
    for (const i of written) bring(places[i]!, bits(args[i] as Arrays));
    return result;
  };
}

/** A float32 view of the same bytes. Only copies read it, so integers and doubles keep their bits. */
const bits = (x: Arrays): Numbers =>
  x instanceof Int32Array || x instanceof Float64Array ? new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4) : x;

/**
 * Returns a kernel that calls `plain` if argument number `longest` has fewer than FEW numbers, otherwise `fast`. The
 * frequent parameter counts have functions of their own, because rest parameters allocate a list at each call.
 */
function dispatched(count: number, longest: number, plain: Call, fast: Call): Call {
  const isShort = (x: unknown): boolean => (x as Numbers).length < FEW;
  if (longest === 0 && count === 2) return (a, b) => (isShort(a) ? plain(a, b) : fast(a, b));
  if (longest === 0 && count === 3) return (a, b, c) => (isShort(a) ? plain(a, b, c) : fast(a, b, c));
  if (longest === 0 && count === 4) return (a, b, c, d) => (isShort(a) ? plain(a, b, c, d) : fast(a, b, c, d));
  if (longest === 0 && count === 5) return (a, b, c, d, e) => (isShort(a) ? plain(a, b, c, d, e) : fast(a, b, c, d, e));
  if (longest === 1 && count === 3) return (a, b, c) => (isShort(b) ? plain(a, b, c) : fast(a, b, c));
  if (longest === 1 && count === 4) return (a, b, c, d) => (isShort(b) ? plain(a, b, c, d) : fast(a, b, c, d));
  if (longest === 1 && count === 5) return (a, b, c, d, e) => (isShort(b) ? plain(a, b, c, d, e) : fast(a, b, c, d, e));
  return (...args) => (isShort(args[longest]) ? plain(...args) : fast(...args));
}

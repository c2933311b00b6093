import {
  type Convolution,
  type Depthwise,
  type Kernels,
  type Numbers,
  type Reduced,
  SMALL_WORK,
  signatures,
  type Windows,
} from "../../kernels/index.ts";
import type { Arrays, Operands } from "./operands.ts";

/** The plain kernel handles arrays with fewer numbers: a call into WebAssembly would take longer. */
const FEW = 256;

/** What assembly/index.ts exports, by name. */
export type Exports = Readonly<Record<string, ((...values: (number | boolean)[]) => number) | undefined>>;

/** Finds the addresses of operands. `writeSizes` writes the geometry of windows to the block that sizes.ts reads. */
export type Binding = Operands & { readonly writeSizes: (w: Windows) => void };

type Name = keyof Kernels;
type Call = (...args: readonly unknown[]) => unknown;

/** Kernels that run in WebAssembly only if all arrays lie in its memory. Copying costs as much as the plain kernel. */
const onlyInPlace: readonly Name[] = ["axpy", "neg", "negGrad"];

const isSmallConvolution = (s: Convolution): boolean =>
  (s.batch * s.outHeight * s.outWidth * s.outChannels * s.kernelHeight * s.kernelWidth * s.channels) / s.groups < SMALL_WORK;
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

/**
 * Kernels whose work is measured by the length of their last array. For all other kernels, the first array measures the
 * work.
 */
const sizedByLast: readonly Name[] = ["avgPoolGrad", "sumGrad"];

const isArray = (role: string): boolean => ["in", "out", "inout", "into"].includes(role);

/**
 * Returns a function for each kernel that the module exports, with the parameters of the plain kernel. The function
 * passes to the export:
 * - the length of the array that measures the work (see `sizedByLast`);
 * - for each argument, by its role: the address of an array (0 for null), a number, a flag, or the three numbers of
 *   "sizes". The role "windows" passes nothing: `writeSizes` writes the sizes to memory.
 *
 * If an array lies outside WebAssembly's memory, a copy is passed. The array is copied in if the kernel reads it, and
 * copied back if the kernel writes it. `plain` computes small work.
 */
export function bind(exports: Exports, binding: Binding, plain: Kernels): Partial<Kernels> {
  const bound: [string, Call][] = [];
  for (const [name, roles] of Object.entries(signatures) as [Name, readonly string[]][]) {
    const kernel = exports[name];
    if (kernel === undefined || roles.includes("product")) continue;
    const arrays = roles.flatMap((role, i) => (isArray(role) ? [i] : []));
    const sizeAt = sizedByLast.includes(name) ? arrays.at(-1)! : arrays[0]!;
    const slow = plain[name] as Call;
    const called = callOf(roles, sizeAt, kernel, binding);
    const fast: Call = onlyInPlace.includes(name)
      ? (...args) => (arrays.every((i) => binding.isHere(args[i] as Numbers)) ? called : slow)(...args)
      : called;
    const isPlain = leftToPlain[name] as ((s: unknown) => boolean) | undefined;
    bound.push([
      name,
      isPlain === undefined
        ? dispatched(roles.length, sizeAt, slow, fast)
        : (...args) => (isPlain(args[0]) ? slow : fast)(...args),
    ]);
  }
  return Object.fromEntries(bound) as Partial<Kernels>;
}

// What `callOf` does with an argument. UPDATE: reads and writes. ADD_IF_ASKED: writes, and reads if `accumulate` is
// true.
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

/** Returns a function that calls the export. Argument number `sizeAt` is the array whose length is passed first. */
function callOf(
  roles: readonly string[],
  sizeAt: number,
  kernel: NonNullable<Exports[string]>,
  { isHere, address, bring, writeSizes }: Binding,
): Call {
  const accumulateAt = roles.indexOf("accumulate");
  const steps = roles.map((role) => actions[role] ?? SKIP);
  const written = roles.flatMap((role, i) => (isArray(role) && role !== "in" ? [i] : []));
  const places = new Array<number>(roles.length).fill(0);
  const values: (number | boolean)[] = [];
  return (...args) => {
    values[0] = (args[sizeAt] as Numbers).length;
    let [count, copies] = [1, 0];
    for (let i = 0; i < steps.length; i++) {
      const arg = args[i];
      const step = steps[i]!;
      if (step === SKIP) continue;
      if (step <= ADD_IF_ASKED) {
        const read = step === ADD_IF_ASKED ? args[accumulateAt] === true : step !== WRITE;
        if (arg === null) values[count++] = 0;
        else if (isHere(arg as Arrays)) values[count++] = (arg as Arrays).byteOffset;
        else values[count++] = places[i] = address(copies++, arg as Arrays, read);
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
    if (copies > 0) for (const i of written) if (args[i] !== null) bring(places[i]!, args[i] as Arrays);
    return result;
  };
}

/**
 * Returns a kernel that calls `plain` if argument number `sizeAt` has fewer than FEW numbers, otherwise `fast`. Rest
 * parameters allocate a list at each call, so most kernels have functions without them.
 */
function dispatched(count: number, sizeAt: number, plain: Call, fast: Call): Call {
  const isShort = (x: unknown): boolean => (x as Numbers).length < FEW;
  if (count > 5 || sizeAt > 1) return (...args) => (isShort(args[sizeAt]) ? plain(...args) : fast(...args));
  if (sizeAt === 0) return (a, b, c, d, e) => (isShort(a) ? plain(a, b, c, d, e) : fast(a, b, c, d, e));
  return (a, b, c, d, e) => (isShort(b) ? plain(a, b, c, d, e) : fast(a, b, c, d, e));
}

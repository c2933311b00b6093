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

/** Below so many numbers, or multiplications, the plain kernel is done before a call is. */
const FEW = 256;
export const FEW_PRODUCTS: number = 4096;

/** What assembly/index.ts exports, by name. */
export type Exports = Readonly<Record<string, ((...values: (number | boolean)[]) => number) | undefined>>;

/** Where operands lie, and how the geometry of windows is handed over. */
export type Binding = Operands & { readonly writeSizes: (w: Windows) => void };

type Name = keyof Kernels;
type Call = (...args: readonly unknown[]) => unknown;
type Arrays = Numbers | Int32Array | Float64Array;

/** Kernels whose copies would cost as much as the plain kernel does: they run in WebAssembly only on arrays that lie there. */
const onlyInPlace: readonly Name[] = ["axpy", "neg", "negGrad"];

const isSmallConvolution = (s: Convolution): boolean =>
  (s.batch * s.outHeight * s.outWidth * s.outChannels * s.kernelHeight * s.kernelWidth * s.channels) / s.groups < FEW_PRODUCTS;
const isSmallDepthwise = (s: Depthwise): boolean => s.multiplier !== 1 || s.batch * s.outHeight * s.outWidth * s.channels < FEW;
/** Which windows are left to the plain kernel, by kernel. */
const leftToPlain: { readonly [name: string]: ((s: never) => boolean) | undefined } = {
  conv2d: isSmallConvolution,
  conv2dInputGrad: isSmallConvolution,
  conv2dKernelGrad: isSmallConvolution,
  depthwiseConv2d: isSmallDepthwise,
  depthwiseConv2dInputGrad: isSmallDepthwise,
  depthwiseConv2dKernelGrad: isSmallDepthwise,
};

const isArray = (role: string): boolean => ["in", "out", "inout", "into"].includes(role);

/**
 * The kernels that the module exports under their own names, as functions with the parameters of the plain kernels. A call hands over:
 * the length of the first or of the last array, whichever is longer; for each argument in its order the address of an array (0 for null),
 * a number or a flag; the three numbers of "sizes". Windows are written to memory. Arrays outside WebAssembly's memory are copied in if the
 * kernel reads them, and back if it writes them. Work that is too small for a call is left to `plain`.
 */
export function bind(exports: Exports, binding: Binding, plain: Kernels): Partial<Kernels> {
  const bound: [string, Call][] = [];
  for (const [name, roles] of Object.entries(signatures) as [Name, readonly string[]][]) {
    const kernel = exports[name];
    if (kernel === undefined || roles.includes("product")) continue;
    const slow = plain[name] as Call;
    const fast = called(roles, kernel, binding, slow, onlyInPlace.includes(name));
    const isPlain = leftToPlain[name] as ((s: unknown) => boolean) | undefined;
    bound.push([
      name,
      isPlain === undefined ? dispatched(roles, slow, fast) : (...args) => (isPlain(args[0]) ? slow : fast)(...args),
    ]);
  }
  return Object.fromEntries(bound) as Partial<Kernels>;
}

/** The call into WebAssembly. */
function called(
  roles: readonly string[],
  kernel: NonNullable<Exports[string]>,
  { address, bring, isHere, writeSizes }: Binding,
  plain: Call,
  inPlace: boolean,
): Call {
  const accumulateAt = roles.indexOf("accumulate");
  const arrays = roles.flatMap((role, i) => (isArray(role) ? [i] : []));
  const [first, last] = [arrays[0]!, arrays.at(-1)!];
  const written = arrays.filter((i) => roles[i] !== "in");
  const places = new Array<number>(roles.length).fill(0);
  return (...args) => {
    if (inPlace && !arrays.every((i) => isHere(args[i] as Numbers))) return plain(...args);
    const values: (number | boolean)[] = [Math.max((args[first] as Numbers).length, (args[last] as Numbers).length)];
    let staged = 0;
    for (let i = 0; i < roles.length; i++) {
      const arg = args[i];
      switch (roles[i]) {
        case "in":
        case "out":
        case "inout":
        case "into": {
          const read = roles[i] === "into" ? accumulateAt >= 0 && args[accumulateAt] === true : roles[i] !== "out";
          places[i] = arg === null ? 0 : address(staged, bits(arg as Arrays), read);
          staged++;
          values.push(places[i]!);
          break;
        }
        case "number":
        case "flag":
        case "accumulate":
          values.push(arg as number | boolean);
          break;
        case "sizes": {
          const { outer, n, inner } = arg as Reduced;
          values.push(outer, n, inner);
          break;
        }
        case "windows":
          writeSizes(arg as Windows);
          break;
        default: // not used
      }
    }
    const result = kernel(...values);
    for (const i of written) bring(places[i]!, bits(args[i] as Arrays));
    return result;
  };
}

/** The bits of integers or doubles, seen as float32s: they are only copied. */
const bits = (x: Arrays): Numbers =>
  x instanceof Int32Array || x instanceof Float64Array ? new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4) : x;

/**
 * A kernel that asks `plain` if there is little to do, `fast` otherwise. Functions with as many parameters as the kernel has: rest parameters
 * would cost each small call a list.
 */
function dispatched(roles: readonly string[], plain: Call, fast: Call): Call {
  const arrays = roles.flatMap((role, i) => (isArray(role) ? [i] : []));
  const [first, last] = [arrays[0]!, arrays.at(-1)!];
  const isSmall = (x: unknown, y: unknown): boolean => (x as Numbers).length < FEW && (y as Numbers).length < FEW;
  const at = <T>(i: number, a: T, b: T, c: T, d: T, e: T, f: T): T =>
    i < 3 ? (i === 0 ? a : i === 1 ? b : c) : i === 3 ? d : i === 4 ? e : f;
  switch (roles.length) {
    case 1:
      return (a) => (isSmall(a, a) ? plain(a) : fast(a));
    case 2:
      return (a, b) => (isSmall(a, b) ? plain(a, b) : fast(a, b));
    case 3:
      return (a, b, c) => (isSmall(at(first, a, b, c, c, c, c), at(last, a, b, c, c, c, c)) ? plain(a, b, c) : fast(a, b, c));
    case 4:
      return (a, b, c, d) =>
        isSmall(at(first, a, b, c, d, d, d), at(last, a, b, c, d, d, d)) ? plain(a, b, c, d) : fast(a, b, c, d);
    case 5:
      return (a, b, c, d, e) =>
        isSmall(at(first, a, b, c, d, e, e), at(last, a, b, c, d, e, e)) ? plain(a, b, c, d, e) : fast(a, b, c, d, e);
    default:
      return (a, b, c, d, e, f, g, h, i, j) =>
        isSmall(at(first, a, b, c, d, e, f), at(last, a, b, c, d, e, f))
          ? plain(a, b, c, d, e, f, g, h, i, j)
          : fast(a, b, c, d, e, f, g, h, i, j);
  }
}

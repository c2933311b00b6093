import { alloc } from "../kernels/index.ts";
import { describe, fresh, type Shape, sameShape, show, type Tensor, ValueError } from "../tensor/index.ts";
import type { ModelState } from "../variables/index.ts";
import { dtypes, nearestEven, rounded } from "./dtypes.ts";
import { FormatError } from "./errors.ts";
import { type Decoded, isOwn, type SavedTensors, type Types } from "./safetensors.ts";

/** The element types of weights in a file. */
export type WeightsDtype = "float32" | "float16" | "bfloat16" | "int8";

/** Their names in the safetensors format. */
const NAMES: Readonly<Record<WeightsDtype, string>> = { float32: "F32", float16: "F16", bfloat16: "BF16", int8: "I8" };
export const WEIGHTS_DTYPES: readonly WeightsDtype[] = ["float32", "float16", "bfloat16", "int8"];

/** The name of the scales of an int8 tensor ends with this. */
const SCALES = ":scales";
/** The largest int8. Its negative is the smallest one that is written. */
const MOST = 127;
/** Larger scales make weights that are infinite in float32. */
const MOST_SCALE = ((2 - 2 ** -23) * 2 ** 127) / MOST;
/** The smallest normal float32. Below it, products with a scale would be rounded. */
const LEAST_SCALE = 2 ** -126;

/** Tensors as a file stores them, and the element types of those that are not float32. */
type Stored = { readonly tensors: ReadonlyMap<string, Tensor>; readonly types: Types };

/**
 * The weights of a model in an element type. Matrices, kernels and the numbers of pools take the type; for int8 a row
 * needs two numbers at least. Vectors and scalars (biases, norms, running statistics, learned scales) stay float32.
 *
 * @throws ValueError if a number has no finite value in the type, or a name has the form of the scales' names.
 */
export function lowered(who: string, { weights, pools }: ModelState, dtype: WeightsDtype): Stored {
  const [tensors, types] = [new Map<string, Tensor>(), new Map<string, string>()];
  const core = new Set(pools.flatMap((pool) => pool.core));
  for (const [name, x] of weights) {
    if (dtype === "int8" && name.endsWith(SCALES))
      throw new ValueError(who, `"${name}" ends with "${SCALES}", as the scales of int8 weights do; rename the variable`);
    const isLarge = x.shape.length >= 2 || core.has(name);
    if (dtype === "float32" || !isLarge || (dtype === "int8" && !(x.shape.at(-1)! >= 2))) {
      tensors.set(name, x);
      continue;
    }
    types.set(name, NAMES[dtype]);
    if (dtype === "int8") {
      const { numbers, scales } = quantized(who, name, x);
      tensors.set(name, numbers).set(name + SCALES, scales);
    } else tensors.set(name, shortened(who, name, x, dtype));
  }
  return { tensors, types };
}

/** The nearest numbers of a 16-bit type. Infinities and NaN stay. */
function shortened(who: string, name: string, { data, shape }: Tensor, dtype: "float16" | "bfloat16"): Tensor {
  const [type, numbers] = [dtypes.get(NAMES[dtype])!, alloc(data.length)];
  for (let i = 0; i < data.length; i++) {
    numbers[i] = rounded(type, data[i]!);
    if (Number.isFinite(numbers[i]) || !Number.isFinite(data[i])) continue;
    const [most, other] = dtype === "float16" ? ["65504", '"bfloat16" or "float32"'] : ["3.39e38", '"float32"'];
    throw new ValueError(who, `"${name}" holds ${data[i]}, beyond ±${most}, the range of ${dtype}; save with dtype ${other}`);
  }
  return fresh([...shape], numbers);
}

/**
 * Whole numbers from −127 to 127, and a scale for each row, that is for the numbers along the last axis: x ≈
 * numbers·scale, with an error of at most scale/2. The scales have the shape of x without its last axis.
 */
function quantized(who: string, name: string, { data, shape }: Tensor): { readonly numbers: Tensor; readonly scales: Tensor } {
  const length = shape.at(-1)!;
  const [numbers, scales] = [alloc(data.length), alloc(data.length / length)];
  for (let row = 0; row < scales.length; row++) {
    let most = 0;
    for (let i = row * length; i < (row + 1) * length; i++) {
      const size = Math.abs(data[i]!);
      if (!(size < Number.POSITIVE_INFINITY))
        throw new ValueError(
          who,
          `"${name}" holds ${data[i]}, which int8 cannot hold; save with dtype "float32", "float16" or "bfloat16"`,
        );
      if (size > most) most = size;
    }
    scales[row] = scaleOf(most);
    for (let i = row * length; i < (row + 1) * length; i++) numbers[i] = nearestEven(data[i]! / scales[row]!);
  }
  return { numbers: fresh([...shape], numbers), scales: fresh(shape.slice(0, -1), scales) };
}

const scratch = new Uint32Array(1);
const scratchFloat = new Float32Array(scratch.buffer);
/**
 * The scale of a row whose largest size is `most`: most/127, cut to 17 significant bits. Every number·scale then is
 * exact in float32, so a loaded model gives the same file when it is saved again.
 */
function scaleOf(most: number): number {
  scratchFloat[0] = most / MOST;
  scratch[0]! &= ~0x7f;
  return Math.max(scratchFloat[0], LEAST_SCALE);
}

/**
 * The weights of a file as float32, whatever their element type. Changes the tensors in place: the numbers of an int8
 * tensor are multiplied by its scales. Files of other programs stay as they are.
 *
 * @throws FormatError if element types or scales are not those of the file's dtype.
 */
export function restored({ tensors, metadata, types }: Decoded, file: string): SavedTensors {
  if (!isOwn(metadata) || metadata.dtype === undefined) return { tensors, metadata };
  const dtype = WEIGHTS_DTYPES.find((known) => known === metadata.dtype);
  if (dtype === undefined)
    throw new FormatError(file, `its weights are ${describe(metadata.dtype)}, known are ${WEIGHTS_DTYPES.join(", ")}`);
  for (const [name, type] of types) {
    if (type !== "F32" && type !== NAMES[dtype])
      throw new FormatError(
        file,
        `${describe(name)} has the element type ${type}; a file of ${dtype} holds ${NAMES[dtype]} and F32`,
      );
  }
  if (dtype !== "int8") return { tensors, metadata };
  const found = new Map(tensors);
  for (const [name, numbers] of tensors) {
    if (types.get(name) !== "I8") continue;
    const scales = found.get(name + SCALES);
    if (scales === undefined)
      throw new FormatError(file, `${describe(name)} is int8 and has no ${describe(name + SCALES)}; the file is damaged`);
    multiply(file, name, numbers, scales, types.get(name + SCALES)!);
    found.delete(name + SCALES);
  }
  const alone = [...found.keys()].find((name) => name.endsWith(SCALES));
  if (alone !== undefined)
    throw new FormatError(file, `${describe(alone)} are the scales of no int8 tensor; the file is damaged`);
  return { tensors: found, metadata };
}

function multiply(file: string, name: string, { data, shape }: Tensor, scales: Tensor, type: string): void {
  const rows: Shape = shape.slice(0, -1);
  const which = describe(name + SCALES);
  if (type !== "F32") throw new FormatError(file, `${which} must be F32, got ${type}; the file is damaged`);
  if (shape.length === 0 || !sameShape(scales.shape, rows)) {
    const rule = shape.length === 0 ? "a scalar has no rows" : `the rows of ${show(shape)} are ${show(rows)}`;
    throw new FormatError(file, `${which} has shape ${show(scales.shape)}, ${rule}; the file is damaged`);
  }
  const length = shape.at(-1)!;
  for (let row = 0; row < scales.size; row++) {
    const scale = scales.data[row]!;
    if (!(scale >= 0 && scale <= MOST_SCALE))
      throw new FormatError(file, `${which} holds ${scale}, must be from 0 to 2.68e36; the file is damaged`);
    for (let i = row * length; i < (row + 1) * length; i++) data[i]! *= scale;
  }
}

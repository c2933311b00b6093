import {
  checkShape,
  readBoolean,
  readName,
  readOptions,
  readTensor,
  type Shape,
  ShapeError,
  show,
  sizeOf,
  type Tensor,
  tensor,
  ValueError,
} from "../tensor/index.ts";
import { add, mul } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { reshape } from "./movement.ts";

/** Options of `resize`. */
export type ResizeOptions = {
  /** How a pixel is computed (default "nearest"). */
  readonly method?: "nearest" | "bilinear";
  /** Keeps the centers of the corner pixels in place, for "bilinear" (default false). */
  readonly alignCorners?: boolean;
};

/**
 * Returns images of another size: x [batch, height, width, channels] → [batch, size[0], size[1], channels], as
 * PyTorch's `interpolate`.
 * - "nearest": output pixel i of an axis is pixel ⌊i·n/size⌋.
 * - "bilinear": on each axis, interpolates between the two pixels beside position (i + ½)·n/size − ½. With
 * `alignCorners` the position is i·(n − 1)/(size − 1). There is no antialiasing.
 * @param x - [batch, height, width, channels]
 * @param size - [height, width] of the result
 * @example
 * const y = resize(tensor([1, 2], [1, 1, 2, 1]), [1, 4], { method: "bilinear" });
 * console.log(y); //=> Tensor [1, 1, 4, 1] 1 1.25 1.75 2
 */
export function resize(x: Tensor, size: readonly [number, number], options?: ResizeOptions): Tensor {
  readTensor("resize", "x", x);
  checkShape("resize", size);
  const { method = "nearest", alignCorners = false } = readOptions("resize", options, ["method", "alignCorners"]);
  readName("resize", "method", method, ["nearest", "bilinear"]);
  readBoolean("resize", "alignCorners", alignCorners);
  if (alignCorners && method === "nearest")
    throw new ValueError("resize", 'alignCorners has no meaning for method "nearest"; leave it out, or choose "bilinear"');
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const [outHeight = 0, outWidth = 0] = size;
  if (x.shape.length !== 4 || size.length !== 2 || height * width * outHeight * outWidth === 0) {
    throw new ShapeError(
      "resize",
      `x ${show(x.shape)} to size ${show(size)}: need [batch, height, width, channels] and [height, width], all four lengths of at least 1`,
    );
  }
  checkShape("resize", [batch, outHeight, outWidth, channels]);
  const along = method === "nearest" ? nearest : (v: Tensor, axis: number, to: number) => linear(v, axis, to, alignCorners);
  return along(along(x, 1, outHeight), 2, outWidth);
}

function nearest(x: Tensor, axis: number, size: number): Tensor {
  const n = x.shape[axis]!;
  return n === size
    ? x
    : take(
        x,
        axis,
        Int32Array.from({ length: size }, (_, i) => Math.floor((i * n) / size)),
      );
}

/** Two neighbors, weighted by their distance from the position. */
function linear(x: Tensor, axis: number, size: number, alignCorners: boolean): Tensor {
  const n = x.shape[axis]!;
  if (n === size) return x;
  const corners = size === 1 ? 0 : (n - 1) / (size - 1);
  const positions = Array.from({ length: size }, (_, i) =>
    alignCorners ? i * corners : Math.max(((i + 0.5) * n) / size - 0.5, 0),
  );
  const lower = Int32Array.from(positions, (at) => Math.min(Math.floor(at), n - 1));
  const upper = lower.map((at) => Math.min(at + 1, n - 1));
  const shape = x.shape.map((_, i) => (i === axis ? size : 1));
  const share = positions.map((at, i) => at - lower[i]!);
  const below = mul(
    take(x, axis, lower),
    tensor(
      Float32Array.from(share, (t) => 1 - t),
      shape,
    ),
  );
  return add(below, mul(take(x, axis, upper), tensor(Float32Array.from(share), shape)));
}

/** `gather` along any axis without moving that axis: x is read as rows of all axes after it. */
function take(x: Tensor, axis: number, indices: Int32Array): Tensor {
  const [outer, n, inner] = [sizeOf(x.shape.slice(0, axis)), x.shape[axis]!, sizeOf(x.shape.slice(axis + 1))];
  const rows = new Int32Array(outer * indices.length);
  for (let i = 0; i < outer; i++) for (const [j, index] of indices.entries()) rows[i * indices.length + j] = i * n + index;
  const shape: Shape = x.shape.with(axis, indices.length);
  return reshape(gather(reshape(x, [outer * n, inner]), rows), shape);
}

// A drawing as an image of MNIST. The longer side of the digit becomes 20 pixels. The center of its mass comes into the
// middle of 28×28 pixels (http://yann.lecun.com/exdb/mnist/).
import { PIXELS, SIDE } from "./digits.ts";

const DIGIT = 20;

/** The pixels, from 0 to 1, of a square drawing with ink from 0 to 1 per pixel; null if the drawing is empty. */
export function centered(ink: ArrayLike<number>, side: number): Float32Array | null {
  const box = { left: side, right: -1, top: side, bottom: -1 };
  let [mass, massX, massY] = [0, 0, 0];
  for (let i = 0; i < side * side; i++) {
    const amount = ink[i]!;
    if (amount === 0) continue;
    const [x, y] = [i % side, Math.floor(i / side)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
    mass += amount;
    massX += amount * (x + 0.5);
    massY += amount * (y + 0.5);
  }
  if (mass === 0) return null;
  // At most 1, because a larger factor would leave gaps between the pixels.
  const factor = Math.min(1, DIGIT / (Math.max(box.right - box.left, box.bottom - box.top) + 1));
  const pixels = new Float32Array(PIXELS);
  for (let y = box.top; y <= box.bottom; y++) {
    for (let x = box.left; x <= box.right; x++) {
      const amount = ink[y * side + x]! * factor * factor;
      if (amount > 0) spread(pixels, to(x, massX / mass, factor), to(y, massY / mass, factor), amount);
    }
  }
  return pixels.map((amount) => Math.min(1, amount));
}

/** The position of a drawing's pixel in the image, relative to the middle of the image's first pixel. */
const to = (at: number, middle: number, factor: number): number => (at + 0.5 - middle) * factor + SIDE / 2 - 0.5;

/** Adds ink to the four pixels around a position, in shares by distance. */
function spread(pixels: Float32Array, x: number, y: number, amount: number): void {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  for (const [row, shareY] of [[top, 1 - (y - top)] as const, [top + 1, y - top] as const]) {
    for (const [column, shareX] of [[left, 1 - (x - left)] as const, [left + 1, x - left] as const]) {
      if (row < 0 || row >= SIDE || column < 0 || column >= SIDE) continue;
      pixels[row * SIDE + column]! += amount * shareX * shareY;
    }
  }
}

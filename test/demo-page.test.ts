import { expect, test } from "vitest";
import { centered } from "../docs/demo/center.ts";
import { packDigits, SIDE, unpackDigits } from "../docs/demo/digits.ts";
import { missing } from "../docs/demo/state.ts";

// The parts of docs/demo that need no browser. `npm run test:site` opens the page.

/** A square drawing whose ink is a function of the position. */
const drawing = (side: number, ink: (x: number, y: number) => number): Float32Array =>
  Float32Array.from({ length: side * side }, (_, i) => ink(i % side, Math.floor(i / side)));
const box = (left: number, top: number, width: number, height: number) => (x: number, y: number) =>
  x >= left && x < left + width && y >= top && y < top + height ? 1 : 0;

test.each([
  ["small, at an edge", box(5, 30, 60, 100)],
  ["large, in the middle", box(100, 60, 120, 200)],
])("a drawing becomes 20 pixels high, its center of mass in the middle: %s", (_, ink) => {
  const pixels = centered(drawing(280, ink), 280)!;
  const wanted = drawing(SIDE, box(8, 4, 12, 20)); // 20 rows from 4 to 23; 12 columns from 8 to 19
  for (const [i, pixel] of pixels.entries()) {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    const isEdge = [7, 8, 19, 20].includes(x) || [3, 4, 23, 24].includes(y); // ink of edges spreads over two pixels
    if (!isEdge) expect(pixel).toBeCloseTo(wanted[i]!, 5);
  }
  const sum = (weight: (x: number, y: number) => number): number =>
    pixels.reduce((total, pixel, i) => total + pixel * weight(i % SIDE, Math.floor(i / SIDE)), 0);
  const mass = sum(() => 1);
  expect(mass).toBeCloseTo(12 * 20, 3);
  expect(sum((x) => x + 0.5) / mass).toBeCloseTo(14, 4);
  expect(sum((_, y) => y + 0.5) / mass).toBeCloseTo(14, 4);
});

test("an empty drawing has no pixels, and a small dot becomes no larger", () => {
  expect(centered(new Float32Array(100), 10)).toBeNull();
  const dot = centered(drawing(280, box(3, 3, 4, 4)), 280)!;
  expect(dot.reduce((sum, pixel) => sum + pixel, 0)).toBeCloseTo(16, 4);
});

test("the file of images holds both datasets, and a file cut short is refused", () => {
  const part = (count: number, first: number) => ({
    inputs: Uint8Array.from({ length: count * SIDE * SIDE }, (_, i) => (first + i) % 256),
    inputShape: [SIDE, SIDE, 1],
    labels: Int32Array.from({ length: count }, (_, i) => (first + i) % 10),
    classes: 10,
  });
  const digits = { train: part(5, 3), test: part(2, 8) };
  const bytes = packDigits(digits);
  expect(unpackDigits(bytes)).toEqual(digits);
  expect(() => unpackDigits(bytes.subarray(0, -1))).toThrow(
    `unpackDigits: the file has ${bytes.length - 1} bytes; its header says ${bytes.length}; build the site again`,
  );
  expect(() => unpackDigits(new Uint8Array(3))).toThrow("the file has 3 bytes; its header says 8");
});

test("the page names what a browser lacks", () => {
  const lacks = (what: string): string => `This browser lacks ${what}, so this page cannot train. A current browser can.`;
  expect(missing({})).toBe(lacks("web workers"));
  expect(missing({ Worker: class {} })).toBe(lacks("DecompressionStream"));
  expect(missing({ Worker: class {}, DecompressionStream: class {} })).toBeNull();
});

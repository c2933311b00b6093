import type { Generator } from "../tensor/index.ts";

// Gradients in half precision: 1 sign, 5 exponent and 10 fraction bits. Each array is multiplied by a power of two, so
// that its largest number is at least 2¹⁴ and below 2¹⁵. Rounding goes up or down at random, with probabilities that
// make the expected result exact. So rounding errors average out over the steps, as with error feedback. But there is
// no state: the residual of a shard would have to travel with the shard, with more bytes than float16 saves.

/** An array in half precision: the number i is half(bits[i]) · 2^−exponent. */
export type Halves = { readonly exponent: number; readonly bits: Uint16Array };

const LARGEST = 14;
const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** Every half precision number by its bits. */
let table: Float32Array | null = null;
const halves = (): Float32Array => {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? Number.NaN // infinities do not occur: numbers are scaled
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits & 0x8000 ? -size : size;
  });
  return table;
};

/** Rounds finite numbers to half precision. `random` decides for each number whether it is rounded up or down. */
export function toHalves(numbers: Float32Array, random: Generator): Halves {
  let largest = 0;
  for (let i = 0; i < numbers.length; i++) largest = Math.max(largest, Math.abs(numbers[i]!));
  const exponent = largest === 0 ? 0 : LARGEST - Math.floor(Math.log2(largest));
  const scale = 2 ** exponent;
  const bits = new Uint16Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) bits[i] = halfOf(numbers[i]! * scale, random.bits());
  return { exponent, bits };
}

/** The numbers of an array in half precision. NaN for bits that are no finite number. */
export function fromHalves({ exponent, bits }: Halves): Float32Array {
  const scale = 2 ** -exponent;
  const values = halves();
  return Float32Array.from(bits, (half) => values[half]! * scale);
}

/** The bits of a number below 2¹⁶, rounded by 32 random bits. */
function halfOf(x: number, random: number): number {
  floats[0] = x;
  const word = words[0]!;
  const [sign, size] = [(word >>> 16) & 0x8000, word & 0x7fffffff];
  // Below 2⁻¹⁴ the numbers of half precision are the multiples of 2⁻²⁴.
  if (size < 0x38800000) return sign | Math.floor(Math.abs(floats[0]!) * 2 ** 24 + random / 2 ** 32);
  // 13 bits of the fraction are dropped. A random number below 2¹³ carries into the next bit with their probability.
  return sign | ((size - 0x38000000 + (random >>> 19)) >>> 13);
}

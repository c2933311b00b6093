import { alloc, describe, FLOAT32, readCount, readList, readNumber, ValueError } from "../kernels/index.ts";
import { checkShape, type Shape, sizeOf } from "./shape.ts";
import { fresh, type Tensor } from "./tensor.ts";

/**
 * A random number generator: xoshiro128** (Blackman and Vigna 2018). splitmix32 fills the state from the seed, so that
 * similar seeds give unrelated numbers. The same seed gives the same numbers.
 * @example
 * const random = new Generator(1);
 * console.log(random.below(6), random.below(6)); //=> 0 3
 */
export class Generator {
  #state: Uint32Array;

  /** @param seed - a whole number */
  constructor(seed: number) {
    readCount("Generator", "the seed", seed, Number.MIN_SAFE_INTEGER);
    const high = Math.floor(seed / 2 ** 32); // not 0 for negative seeds and those of more than 32 bits
    let mixed = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      const word = scramble(mixed);
      return high === 0 ? word : scramble(word ^ high);
    });
  }

  /** Returns the next 32 random bits as a whole number. */
  bits(): number {
    const s = this.#state;
    const product = Math.imul(s[1]!, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result;
  }

  /** Returns a number of at least 0 and below 1, with 32 random bits. */
  uniform(): number {
    return this.bits() / 2 ** 32;
  }

  /**
   * Returns a whole number of at least 0 and below `end`.
   * @param end - a whole number from 1 to 2³²
   */
  below(end: number): number {
    if (!(Number.isInteger(end) && end >= 1 && end <= 2 ** 32)) readCount("Generator.below", "end", end, 1, 2 ** 32);
    return Math.floor(this.uniform() * end);
  }

  /** Returns a draw from the normal distribution with mean 0 and standard deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log((this.bits() + 1) / 2 ** 32)) * Math.cos(2 * Math.PI * this.uniform());
  }

  /**
   * Returns the whole numbers below n in random order (Fisher and Yates).
   * @param n - a whole number
   */
  permutation(n: number): Int32Array {
    readCount("Generator.permutation", "n", n, 0, 2 ** 31 - 1);
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }

  /** The state as four numbers. Assigning it continues the sequence from there. */
  get state(): readonly number[] {
    return [...this.#state];
  }

  set state(state: readonly number[]) {
    const words = Uint32Array.from(readList("Generator", "state", state));
    if (state.length !== 4 || !state.every((word, i) => word === words[i]) || words.every((word) => word === 0)) {
      throw new ValueError("Generator", "a state is four 32-bit numbers, not all zero, as `state` gave them");
    }
    this.#state = words;
  }
}

/** A Generator, or a custom object with its methods. */
export function readGenerator(who: string, name: string, random: Generator): Generator {
  if (random instanceof Generator) return random;
  const isLike = typeof random === "object" && random !== null && DRAWS.every((key) => typeof random[key] === "function");
  if (!isLike)
    throw new ValueError(who, `${name} must be a Generator, got ${describe(random)}; make one with new Generator(seed)`);
  return random;
}

const DRAWS = ["uniform", "normal", "bits", "below", "permutation"] as const;

/** The mixing function of splitmix32: similar numbers become unrelated. */
function scramble(word: number): number {
  let z = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

/** A draw from the normal distribution; repeats draws beyond two standard deviations. */
export function truncatedDraw(random: Generator): number {
  for (;;) {
    const draw = random.normal();
    if (Math.abs(draw) <= 2) return draw;
  }
}

function drawn(who: string, shape: Shape, random: Generator, draw: () => number): Tensor {
  readGenerator(who, "random", random);
  checkShape(who, shape);
  const numbers = alloc(sizeOf(shape));
  for (let i = 0; i < numbers.length; i++) numbers[i] = draw();
  return fresh([...shape], numbers);
}

/**
 * Returns a tensor of uniform numbers of at least `low` and below `high`.
 * @param shape - the shape of the result
 * @param random - the generator
 * @param low - the lower bound (default 0)
 * @param high - the upper bound (default 1)
 * @example
 * console.log(randomUniform([3], new Generator(1))); //=> Tensor [3] 0.09157 0.5062 0.8882
 */
export function randomUniform(shape: Shape, random: Generator, low = 0, high = 1): Tensor {
  readNumber("randomUniform", "low", low, FLOAT32);
  readNumber("randomUniform", "high", high, FLOAT32);
  const end = Math.fround(high);
  return drawn("randomUniform", shape, random, () => {
    const draw = Math.fround(low + (high - low) * random.uniform());
    return draw === end ? low : draw; // rounding to float32 may reach the end
  });
}

/**
 * Returns a tensor of normal numbers.
 * @param shape - the shape of the result
 * @param random - the generator
 * @param mean - the mean (default 0)
 * @param deviation - the standard deviation (default 1)
 */
export function randomNormal(shape: Shape, random: Generator, mean = 0, deviation = 1): Tensor {
  readSpread("randomNormal", mean, deviation);
  return drawn("randomNormal", shape, random, () => mean + deviation * random.normal());
}

/**
 * Returns a tensor of normal numbers, truncated at two standard deviations.
 * @param shape - the shape of the result
 * @param random - the generator
 * @param mean - the mean (default 0)
 * @param deviation - the standard deviation before truncation (default 1)
 */
export function randomTruncatedNormal(shape: Shape, random: Generator, mean = 0, deviation = 1): Tensor {
  readSpread("randomTruncatedNormal", mean, deviation);
  return drawn("randomTruncatedNormal", shape, random, () => mean + deviation * truncatedDraw(random));
}

function readSpread(who: string, mean: number, deviation: number): void {
  readNumber(who, "mean", mean, FLOAT32);
  readNumber(who, "deviation", deviation, { ...FLOAT32, least: 0 });
}

import { Generator, type Parameter, randomNormal, record, type Shape, type Tensor, variable, zeros } from "../../src/index.ts";
import { basicStore, type IndexStore, type PoolSlice, type VariablePool } from "../../src/smh/index.ts";

/**
 * Random hashing with signs (Chen et al. 2015, "Compressing Neural Networks with the Hashing Trick"), for comparison:
 * each virtual weight is the sum of `hashes` random numbers of ⌊fraction·poolSize⌋ trained numbers, each times a random
 * sign. Standard deviation 1.
 */
export class RandomHashPool implements VariablePool {
  readonly coreVariables: readonly Parameter[];
  readonly coreSize: number;
  readonly poolSize: number;
  readonly stddev = 1;
  readonly #core: Tensor;
  readonly #store: IndexStore;
  readonly #hashes: number;
  /** For each weight, `hashes` positions in the trained numbers and their signs. */
  readonly #at: Int32Array;
  readonly #sign: Int8Array;

  constructor(options: { poolSize: number; fraction: number; hashes: number; seed?: number }) {
    const { poolSize, fraction, hashes, seed = 0 } = options;
    this.poolSize = poolSize;
    this.coreSize = Math.floor(fraction * poolSize);
    this.#hashes = hashes;
    const random = new Generator(seed);
    this.#at = Int32Array.from({ length: poolSize * hashes }, () => random.below(this.coreSize));
    this.#sign = Int8Array.from(this.#at, () => 2 * random.below(2) - 1);
    this.#core = variable(randomNormal([this.coreSize], random, 0, 1 / Math.sqrt(hashes)));
    this.#core.name = "hash";
    this.coreVariables = [{ name: "hash", tensor: this.#core, decay: true, rateFactor: 1 }];
    this.#store = basicStore(poolSize);
  }

  get status(): number {
    return this.#store.current;
  }

  check(length: number): void {
    this.#store.check(length);
  }

  getSlice(shape: Shape): PoolSlice {
    const length = shape.reduce((a, b) => a * b, 1);
    const ranges = this.#store.allocate(length);
    const [from, to] = [(ranges[0]?.begin ?? 0) * this.#hashes, ((ranges[0]?.begin ?? 0) + length) * this.#hashes];
    const [at, sign] = [this.#at.subarray(from, to), this.#sign.subarray(from, to)];
    return { shape, placement: [ranges], read: () => this.#read(at, sign, shape) };
  }

  #read(at: Int32Array, sign: Int8Array, shape: Shape): Tensor {
    const [hashes, core] = [this.#hashes, this.#core.data];
    const y = zeros(shape).data;
    for (let i = 0, k = 0; i < y.length; i++) for (let j = 0; j < hashes; j++, k++) y[i]! += sign[k]! * core[at[k]!]!;
    return record("randomHash", {}, [this.#core], shape, y, (dy, into) =>
      into.partly(this.#core, (dx) => {
        for (let i = 0, k = 0; i < dy.length; i++) for (let j = 0; j < hashes; j++, k++) dx[at[k]!]! += sign[k]! * dy[i]!;
      }),
    );
  }
}

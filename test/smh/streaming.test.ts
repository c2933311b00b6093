import fc from "fast-check";
import {
  assign,
  backward,
  Generator,
  memory,
  noGrad,
  randomNormal,
  resetPeak,
  scope,
  step,
  sub,
  sum,
  type VariableCreator,
} from "hashgrad";
import { dense, type Layer, sequential } from "hashgrad/nn";
import {
  HashVariablePool,
  type IndexStoreKind,
  initializerScaleModifier,
  MetaVariablePool,
  type Modifier,
  ProductVariablePool,
  poolSizeFor,
  signModifier,
  VariableFactory,
  type VariablePool,
} from "hashgrad/smh";
import { expect, test } from "vitest";
import "../fixed-seed.ts";

type Options = {
  readonly poolSize: number;
  readonly fraction: number;
  readonly indexStore: IndexStoreKind;
  readonly seed: number;
};
const makes: Readonly<Record<string, (options: Options, streaming: boolean) => VariablePool>> = {
  product: (options, streaming) => new ProductVariablePool({ ...options, streaming }),
  kronecker: (options, streaming) => new ProductVariablePool({ ...options, useKroneckerProduct: true, streaming }),
  meta: (options, streaming) => {
    const product = new ProductVariablePool({ ...options, streaming, name: "product" });
    const kronecker = new ProductVariablePool({ ...options, useKroneckerProduct: true, streaming, name: "kronecker" });
    const parts = options.indexStore === "padding" ? [] : [new HashVariablePool({ ...options, name: "hash" })];
    return new MetaVariablePool({ parts: [product, kronecker, ...parts], reduce: "sum" });
  },
};
const modifiers: readonly (Modifier | null)[] = [initializerScaleModifier, signModifier, null];

/** A store whose requests begin anywhere, in pieces. */
const scattered =
  (seed: number): IndexStoreKind =>
  (size) => {
    const random = new Generator(seed);
    return {
      size,
      current: 0,
      check: () => undefined,
      allocate: (length) => {
        const first = random.below(length + 1);
        const piece = (length: number): { begin: number; length: number } => ({ begin: random.below(size - length + 1), length });
        return [piece(first), piece(length - first)];
      },
    };
  };

test.each(Object.entries(makes))("a streamed slice of a %s pool equals the slice of the whole product bit for bit", (_, make) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 6000 }),
      fc.double({ min: 0.3, max: 1, noNaN: true }),
      fc.constantFrom<IndexStoreKind | "scattered">("basic", "cyclic", "padding", "scattered"),
      fc.constantFrom(...modifiers),
      fc.array(fc.oneof(fc.constant(0.005), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 6 }),
      fc.nat(1000),
      (poolSize, fraction, kind, modifier, shares, seed) => {
        const read = (streaming: boolean): Float32Array[] => {
          const indexStore = kind === "scattered" ? scattered(seed) : kind;
          const pool = make({ poolSize, fraction, indexStore, seed }, streaming);
          const vars = new VariableFactory({ pool, modifier, applyTo: ".*" });
          const lengths = shares.map((share) => Math.floor((share * poolSize) / shares.length));
          const variables = lengths.map((length, i) => vars.create(`v${i}`, [length]));
          return variables.map((variable) => noGrad(() => variable.read().toArray()));
        };
        expect(read(true)).toEqual(read(false));
      },
    ),
    { numRuns: 60 },
  );
});

test("a streaming pool gives a network the same outputs and gradients, even after its factors change", () => {
  const build = (vars: VariableCreator): Layer => sequential(dense(scope(vars, "a"), 50, 60), dense(scope(vars, "b"), 60, 40));
  const run = (streaming: boolean): Float32Array[] => {
    const pool = new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.2, streaming });
    const model = build(new VariableFactory({ pool }));
    const x = randomNormal([3, 50], new Generator(1));
    const before = noGrad(() => model(x)).toArray();
    step(() => backward(sum(model(x))));
    const { tensor } = pool.coreVariables[0]!;
    const grad = tensor.grad!;
    assign(tensor, sub(tensor, grad));
    return [before, grad.toArray(), noGrad(() => model(x)).toArray()];
  };
  expect(run(true)).toEqual(run(false));
});

test("inference with a streaming pool holds the weights of one layer in memory", () => {
  const layers = 12;
  const build = (vars: VariableCreator): Layer =>
    sequential(...Array.from({ length: layers }, (_, i) => dense(scope(vars, `layer${i}`), 100, 100)));
  const pool = new ProductVariablePool({ poolSize: poolSizeFor(build), fraction: 0.1, streaming: true });
  const model = build(new VariableFactory({ pool }));
  const x = randomNormal([1, 100], new Generator(1));
  noGrad(() => model(x)); // the arena is made
  resetPeak();
  const before = memory();
  noGrad(() => model(x));
  const [layer, all] = [4 * 100 * 100, 4 * layers * 100 * 100];
  expect(memory().peak - before.inUse).toBeLessThan(4 * layer);
  expect(memory().ordinary - before.ordinary).toBeLessThan(layer / 4);
  expect(4 * layer).toBeLessThan(all / 2);
});

import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  decodeSafetensors,
  encodeSafetensors,
  encodeWeights,
  FormatError,
  loadWeights,
  saveWeights,
} from "../../src/io/index.ts";
import { batchNorm, dense, type Layer, sequential } from "../../src/nn/index.ts";
import { mul, neg } from "../../src/ops/index.ts";
import {
  basicStore,
  composeModifiers,
  constantFaninScaleModifier,
  HashVariablePool,
  MetaVariablePool,
  type Modifier,
  namedModifier,
  ProductVariablePool,
  poolSizeFor,
  reluModifier,
  signModifier,
  VariableFactory,
  type VariablePool,
} from "../../src/smh/index.ts";
import { assign, freeze, Generator, randomNormal, randomUniform, training } from "../../src/tensor/index.ts";
import {
  DenseVariables,
  type Description,
  type Initializer,
  normalInit,
  scope,
  truncatedNormalInit,
  type VariableCreator,
  variableCreatorScope,
  weightsOf,
} from "../../src/variables/index.ts";
import { metaPool } from "../meta-pool.ts";
import { thrown } from "../thrown.ts";
import { temporaryFolder } from "./folder.ts";

const { at, newPath } = temporaryFolder();

const network = (vars: VariableCreator): Layer =>
  sequential(dense(scope(vars, "hidden"), 4, 6), batchNorm(scope(vars, "norm"), 6), dense(scope(vars, "out"), 6, 3));
/** The same layers, created in another order: their weights lie elsewhere in the pool. */
const reordered = (vars: VariableCreator): Layer => {
  const out = dense(scope(vars, "out"), 6, 3);
  return sequential(dense(scope(vars, "hidden"), 4, 6), batchNorm(scope(vars, "norm"), 6), out);
};

type Built = { readonly vars: VariableCreator; readonly model: Layer };
const poolOf = (seed: number, trainable = true): ProductVariablePool =>
  new ProductVariablePool({ poolSize: poolSizeFor(network), fraction: 0.6, seed, trainable });
const built = (vars: VariableCreator, build = network): Built => ({ vars, model: build(vars) });
const kinds: Readonly<Record<string, (seed: number) => Built>> = {
  dense: (seed) => built(new DenseVariables({ seed })),
  compressed: (seed) => built(new VariableFactory({ pool: poolOf(seed), seed })),
  "compressed by two pools": (seed) => {
    const pool = metaPool(["product", "hash"], "sum", { poolSize: 42, fraction: 0.9, seed });
    return built(new VariableFactory({ pool, seed }));
  },
  "compressed by a factory inside a factory": (seed) => {
    const pool = (name: string): ProductVariablePool => new ProductVariablePool({ poolSize: 24, fraction: 0.9, seed, name });
    const inner = new VariableFactory({ pool: pool("inner"), applyTo: "out/kernel", seed });
    return built(new VariableFactory({ pool: pool("outer"), applyTo: "hidden/kernel", variables: inner }));
  },
  frozen: (seed) => {
    const made = built(new DenseVariables({ seed }));
    freeze(scope(made.vars, "hidden").parameters());
    return made;
  },
  "in a pool that is not trained": (seed) => built(new VariableFactory({ pool: poolOf(seed, false), seed })),
};

const x = randomNormal([5, 4], new Generator(1));
const bits = (vars: VariableCreator): Map<string, Float32Array> =>
  new Map([...weightsOf(vars)].map(([name, value]) => [name, value.toArray()]));

test.each(Object.entries(kinds))("a model, %s, with batch normalization is the same after saving and loading", (_, make) => {
  const [trained, other] = [make(1), make(2)];
  // Moves the statistics.
  for (let i = 0; i < 3; i++) training(() => trained.model(randomNormal([8, 4], new Generator(i))));
  const want = trained.model(x).toArray();
  expect(other.model(x).toArray()).not.toEqual(want);
  const path = newPath();
  saveWeights(path, trained.vars);
  loadWeights(path, other.vars);
  expect(other.model(x).toArray()).toEqual(want);
  expect(bits(other.vars)).toEqual(bits(trained.vars));
});

test("the file names every weight once and records the place of each variable in the pool", () => {
  const path = newPath();
  saveWeights(path, kinds.compressed!(1).vars);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path));
  expect([...tensors.keys()]).toEqual([...weightsOf(kinds.compressed!(1).vars).keys()]);
  expect(metadata.format).toBe("hashgrad 1");
  expect(JSON.parse(metadata.placements!)).toEqual({
    "hidden/kernel": [[{ begin: 0, length: 24 }]],
    "out/kernel": [[{ begin: 24, length: 18 }]],
  });
});

const small = (vars: VariableCreator): Layer => dense(scope(vars, "hidden"), 4, 6);
const wide = (vars: VariableCreator): Layer =>
  sequential(dense(scope(vars, "hidden"), 4, 7), batchNorm(scope(vars, "norm"), 7), dense(scope(vars, "out"), 7, 3));

test.each([
  [
    "fewer variables than the file",
    () => built(new DenseVariables(), network),
    () => built(new DenseVariables(), small),
    'holds "norm/gamma", which the model does not have; it was saved from another model; { strict: false } loads the tensors that fit',
  ],
  [
    "more variables than the file",
    () => built(new DenseVariables(), small),
    () => built(new DenseVariables(), network),
    'has no "norm/gamma"; it was saved from another model; { strict: false } loads the tensors that fit',
  ],
  [
    "a pool, which a file of a dense model lacks",
    () => built(new DenseVariables(), network),
    () => built(new VariableFactory({ pool: new HashVariablePool({ poolSize: 42, fraction: 0.5 }) }), network),
    'has no "hash"; it holds no pool: load it into a model with denseVars = new DenseVariables(), then call fitPool(vars, denseVars); { strict: false } loads the tensors that fit',
  ],
  [
    "other shapes",
    () => built(new DenseVariables(), network),
    () => built(new DenseVariables(), wide),
    '"hidden/kernel" has shape [4, 6], the model\'s has [4, 7]; { strict: false } loads the tensors that fit',
  ],
  [
    "weights of their own where the file has a pool",
    () => kinds.compressed!(1),
    () => kinds.dense!(1),
    "its variables come from the pool product (poolSize 42, fraction 0.6, stddev 1, indexStore basic), the model has no pool",
  ],
  [
    "another order of creation",
    () => kinds.compressed!(1),
    () => built(new VariableFactory({ pool: poolOf(1) }), reordered),
    'its variables lie elsewhere in the pool: create them in the order of the model that was saved (first difference: "hidden/kernel")',
  ],
] as const)("loadWeights refuses a model with %s and does not change the model", (_, saved, other, text) => {
  const path = newPath();
  saveWeights(path, saved().vars);
  const { vars } = other();
  const before = bits(vars);
  expect(thrown(() => loadWeights(path, vars))).toBe(`FormatError: ${path}: ${text}`);
  expect(bits(vars)).toEqual(before);
});

test("the order of creation does not matter if every variable is dense", () => {
  const path = newPath();
  const saved = built(new DenseVariables({ seed: 1 }));
  saveWeights(path, saved.vars);
  const other = built(new DenseVariables({ seed: 2 }), reordered);
  loadWeights(path, other.vars);
  expect(other.model(x).toArray()).toEqual(saved.model(x).toArray());
});

test("loadWeights reads a file of another program if names and shapes match the model", () => {
  const [saved, other] = [kinds.dense!(1), kinds.dense!(2)];
  const path = newPath();
  writeFileSync(path, encodeSafetensors({ tensors: weightsOf(saved.vars), metadata: {} }));
  loadWeights(path, other.vars);
  expect(bits(other.vars)).toEqual(bits(saved.vars));
});

test.each(["no JSON", "null", "3"])("placements of %j in the metadata throw a FormatError, not a SyntaxError", (placements) => {
  const { vars } = kinds.dense!(1);
  const path = newPath();
  writeFileSync(path, encodeSafetensors({ tensors: weightsOf(vars), metadata: { placements } }));
  expect(() => loadWeights(path, vars)).toThrow(FormatError);
  expect(() => loadWeights(path, vars)).toThrow("its record of where variables lie in the pool is not readable");
});

test.each([
  ["placements", '{"hidden/kernel":[[{"begin":0', "where variables lie in the pool"],
  ["placements", `{"hidden/kernel":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, "where variables lie in the pool"],
  ["placements", '{"a":1,"a":2}', "where variables lie in the pool"],
  ["pool", "[]", "the pool"],
  ["pool", "garbage", "the pool"],
  ["initializers", "null", "the initializers"],
])("loadWeights refuses a record of %s that reads %j and changes nothing", (key, text, what) => {
  const [saved, { vars }] = [kinds.compressed!(1), kinds.compressed!(2)];
  const path = newPath();
  const { tensors, metadata } = decodeSafetensors(encodeWeights(saved.vars));
  const { checksum: _, ...rest } = metadata; // it covers the metadata
  writeFileSync(path, encodeSafetensors({ tensors, metadata: { ...rest, [key]: text } }));
  const before = bits(vars);
  expect(thrown(() => loadWeights(path, vars))).toBe(
    `FormatError: ${path}: its record of ${what} is not readable; it was saved by something else`,
  );
  expect(bits(vars)).toEqual(before);
});

test("loadWeights refuses any flipped bit in the numbers, the names or the metadata and changes nothing", () => {
  const saved = encodeWeights(kinds.compressed!(1).vars);
  const { vars } = kinds.compressed!(2);
  const before = bits(vars);
  const header = 8 + Number(new DataView(saved.buffer).getBigUint64(0, true));
  const random = new Generator(5);
  for (let i = 0; i < 500; i++) {
    const bytes = saved.slice();
    const at = i < 400 ? header + random.below(bytes.length - header) : random.below(bytes.length);
    bytes[at]! ^= 1 << random.below(8);
    const text = thrown(() => loadWeights(bytes, vars));
    if (at >= header)
      expect(text).toBe("FormatError: weights: its content does not fit its checksum; the file is damaged or was changed");
    if (text === "nothing")
      expect(bits(vars)).toEqual(bits(kinds.compressed!(1).vars)); // in the name of the checksum
    else {
      expect(text).toMatch(/^FormatError: weights: /);
      expect(bits(vars)).toEqual(before);
    }
    if (text === "nothing") loadWeights(encodeWeights(kinds.compressed!(2).vars), vars);
  }
});

test("loadWeights refuses two flipped signs and two swapped arrays", () => {
  const { vars } = kinds.dense!(1);
  const { tensors, metadata } = decodeSafetensors(encodeWeights(vars));
  const flipped = new Map([...tensors].map(([name, x]) => [name, name === "hidden/kernel" ? neg(x) : x] as const));
  const beta = tensors.get("norm/gamma")!;
  const swapped = new Map([...tensors, ["norm/gamma", tensors.get("norm/beta")!], ["norm/beta", beta]] as const);
  for (const broken of [flipped, swapped]) {
    expect(thrown(() => loadWeights(encodeSafetensors({ tensors: broken, metadata }), vars))).toMatch(
      "does not fit its checksum",
    );
  }
  const reversed = new Map([...tensors].reverse()); // another program may write the tensors in another order
  loadWeights(encodeSafetensors({ tensors: reversed, metadata }), vars);
});

test("loadWeights refuses a damaged file, names the path and changes nothing", () => {
  const { vars } = kinds.compressed!(1);
  const path = newPath();
  saveWeights(path, vars);
  writeFileSync(path, readFileSync(path).subarray(0, -4));
  const before = bits(vars);
  expect(thrown(() => loadWeights(path, vars))).toMatch(`FormatError: ${path}: "`);
  expect(bits(vars)).toEqual(before);
});

test("saving over a file replaces the file and leaves no other file", () => {
  const path = newPath();
  saveWeights(path, kinds.dense!(1).vars);
  const old = readFileSync(path);
  linkSync(path, `${path}.old.safetensors`); // keeps the old file, unless it is written over
  saveWeights(path, kinds.dense!(2).vars);
  expect(readFileSync(`${path}.old.safetensors`)).toEqual(old);
  const { vars } = kinds.dense!(3);
  loadWeights(path, vars);
  expect(bits(vars)).toEqual(bits(kinds.dense!(2).vars));
  expect(readdirSync(at()).filter((name) => !name.endsWith(".safetensors"))).toEqual([]);
});

test("saving into a folder that does not exist fails and leaves no partial file", () => {
  const missing = at("missing");
  expect(() => saveWeights(join(missing, "w.safetensors"), kinds.dense!(1).vars)).toThrow(
    /^saveWeights: .*missing\/w\.safetensors cannot be written: there is no such folder \(ENOENT\)$/,
  );
  expect(existsSync(missing)).toBe(false);
});

test("saving to the path of a folder fails and leaves no partial file", () => {
  const inside = mkdtempSync(at("taken-"));
  writeFileSync(join(inside, "w"), "");
  expect(() => saveWeights(inside, kinds.dense!(1).vars)).toThrow();
  expect(readdirSync(at()).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("loadWeights refuses a model with a different pool or modifier and does not change the model", () => {
  const build = (options: Partial<ConstructorParameters<typeof VariableFactory>[0]>, stddev = 1): VariableFactory => {
    const pool = new ProductVariablePool({ poolSize: poolSizeFor(network), fraction: 0.6, seed: 1, stddev });
    const vars = new VariableFactory({ pool, modifier: constantFaninScaleModifier, ...options });
    network(vars);
    return vars;
  };
  const path = newPath();
  saveWeights(path, build({}));
  const others: readonly (readonly [string, Modifier | null])[] = [
    ["sign", signModifier],
    ["none", null],
    ["a function without a name", (slice) => slice],
    ["compose(constant fan-in scale, relu)", composeModifiers(constantFaninScaleModifier, reluModifier)],
    ["mine 2", namedModifier("mine 2", (slice, context) => neg(constantFaninScaleModifier(slice, context)))],
    [
      "byName",
      function byName(slice, context) {
        return mul(constantFaninScaleModifier(slice, context), 1.001);
      },
    ],
  ];
  for (const [kind, modifier] of others) {
    const other = build({ modifier });
    const before = [...weightsOf(other)].map(([name, x]) => [name, x.toArray()]);
    expect(thrown(() => loadWeights(path, other))).toBe(
      `FormatError: ${path}: it was saved with the modifier "constant fan-in scale", the model has the modifier "${kind}"`,
    );
    expect([...weightsOf(other)].map(([name, x]) => [name, x.toArray()])).toEqual(before);
  }
  loadWeights(path, build({}));
});

const pools = {
  "product (poolSize 42, fraction 0.6, stddev 1, indexStore basic)": () => poolOf(1),
  "product (poolSize 42, fraction 0.6, stddev 2, indexStore basic)": () =>
    new ProductVariablePool({ poolSize: 42, fraction: 0.6, stddev: 2 }),
  "product (poolSize 42, fraction 0.6, stddev 1, indexStore cyclic)": () =>
    new ProductVariablePool({ poolSize: 42, fraction: 0.6, indexStore: "cyclic" }),
  "product (poolSize 42, fraction 0.6, stddev 1, indexStore mine)": () =>
    new ProductVariablePool({
      poolSize: 42,
      fraction: 0.6,
      indexStore: function mine(size) {
        return basicStore(size);
      },
    }),
  "kronecker (poolSize 42, fraction 0.9, stddev 1, indexStore basic)": () =>
    new ProductVariablePool({ poolSize: 42, fraction: 0.9, useKroneckerProduct: true }),
  "hash (poolSize 42, fraction 0.6, stddev 1, indexStore basic)": () => new HashVariablePool({ poolSize: 42, fraction: 0.6 }),
  'meta (parts [{"kind":"product","poolSize":42,"fraction":0.6,"stddev":1,"indexStore":"basic"}], reduce sum)': () =>
    new MetaVariablePool({ parts: [new ProductVariablePool({ poolSize: 42, fraction: 0.6 })], reduce: "sum" }),
  'meta (parts [{"kind":"product","poolSize":42,"fraction":0.6,"stddev":1,"indexStore":"basic"}], reduce product)': () =>
    new MetaVariablePool({ parts: [new ProductVariablePool({ poolSize: 42, fraction: 0.6 })], reduce: "product" }),
};

test("loadWeights refuses pools that differ in kind or options, names both pools, and loads into equal pools", () => {
  const withPool = (pool: VariablePool): VariableFactory => {
    const vars = new VariableFactory({ pool });
    network(vars);
    return vars;
  };
  for (const [saved, makeSaved] of Object.entries(pools)) {
    const bytes = encodeWeights(withPool(makeSaved()));
    for (const [own, makeOwn] of Object.entries(pools)) {
      const want = `FormatError: weights: it was saved with the pool ${saved}, the model has the pool ${own}`;
      expect(thrown(() => loadWeights(bytes, withPool(makeOwn())))).toBe(saved === own ? "nothing" : want);
    }
  }
});

test("loadWeights refuses a model whose second pool differs", () => {
  const nested = (inner: VariablePool): VariableFactory => {
    const variables = new VariableFactory({ pool: inner, applyTo: "out/kernel" });
    const outer = new HashVariablePool({ poolSize: 24, fraction: 0.5 });
    const vars = new VariableFactory({ pool: outer, applyTo: "hidden/kernel", variables });
    network(vars);
    return vars;
  };
  const saved = encodeWeights(nested(new HashVariablePool({ poolSize: 18, fraction: 0.5, name: "inner" })));
  const other = nested(new HashVariablePool({ poolSize: 19, fraction: 0.5, name: "inner" }));
  expect(thrown(() => loadWeights(saved, other))).toMatch(
    /^FormatError: weights: it was saved with the pool hash \(poolSize 18, /,
  );
  const report = loadWeights(saved, other, { strict: false });
  expect(report.mismatched).toEqual(["inner/hash"]);
  const single = new VariableFactory({ pool: new HashVariablePool({ poolSize: 24, fraction: 0.5 }), applyTo: "hidden/kernel" });
  network(single);
  expect(thrown(() => loadWeights(saved, single))).toMatch(
    /its variables come from the pool hash \(.*\), the model has no pool$/,
  );
});

test("a custom pool is identified by its class or by its description", () => {
  class Mine extends HashVariablePool {}
  const withPool = (pool: VariablePool): VariableFactory => {
    const vars = new VariableFactory({ pool });
    network(vars);
    return vars;
  };
  const bare = (pool: VariablePool, description?: Description): VariablePool => {
    const { coreVariables, coreSize, poolSize, status, stddev } = pool;
    const own = {
      coreVariables,
      coreSize,
      poolSize,
      status,
      stddev,
      check: pool.check.bind(pool),
      getSlice: pool.getSlice.bind(pool),
    };
    return description === undefined
      ? Object.assign(Object.create(Object.create(null, { constructor: { value: Mine } })), own)
      : { ...own, description };
  };
  const hash = (): VariablePool => new HashVariablePool({ poolSize: 42, fraction: 0.6 });
  const bytes = encodeWeights(withPool(bare(hash())));
  loadWeights(bytes, withPool(bare(hash())));
  expect(thrown(() => loadWeights(bytes, withPool(bare(hash(), { kind: "mine", version: 2 }))))).toBe(
    "FormatError: weights: it was saved with the pool Mine (poolSize 42, coreSize 25, stddev 1), the model has the pool mine (version 2)",
  );
});

test("only a modifier that scales to the initializers makes loadWeights refuse other initializers", () => {
  const build = (init: Initializer, modifier: Modifier | undefined): VariableFactory => {
    const vars = new VariableFactory({
      pool: new ProductVariablePool({ poolSize: 24, fraction: 0.6 }),
      ...(modifier && { modifier }),
    });
    vars.create("kernel", [4, 6], { init });
    return vars;
  };
  const bytes = encodeWeights(build(normalInit(0.5), undefined));
  loadWeights(bytes, build(normalInit(0.5), undefined));
  loadWeights(bytes, build(truncatedNormalInit(0.5 / 0.8796256610342398), undefined)); // the same standard deviation
  expect(thrown(() => loadWeights(bytes, build(normalInit(0.25), undefined)))).toBe(
    'FormatError: weights: its modifier scaled "kernel" for an initializer with mean 0 and standard deviation 0.5, the model\'s has mean 0 and standard deviation 0.25',
  );
  loadWeights(encodeWeights(build(normalInit(0.5), signModifier)), build(normalInit(0.25), signModifier));
});

test("a scope and uniqueNames save the whole model with the records of the pool", () => {
  const { vars } = kinds.compressed!(1);
  expect(encodeWeights(scope(vars, "hidden"))).toEqual(encodeWeights(vars));
  variableCreatorScope(vars, (unique) => expect(encodeWeights(unique)).toEqual(encodeWeights(vars)));
});

test("a model with a random modifier and a model with non-finite weights load exactly as saved", () => {
  const build = (modifier: Modifier | null): VariableFactory => {
    const vars = new VariableFactory({ pool: poolOf(1), modifier });
    network(vars);
    return vars;
  };
  const random = new Generator(1);
  const noise: Modifier = (slice) => mul(slice, randomUniform(slice.shape, random));
  const noisy = build(noise);
  const infinite = build(null);
  assign(infinite.parameters()[0]!.tensor, new Float32Array(infinite.parameters()[0]!.tensor.size).fill(3e38));
  const none = build(null);
  assign(none.parameters()[0]!.tensor, new Float32Array(none.parameters()[0]!.tensor.size).fill(Number.NaN));
  for (const vars of [noisy, infinite, none]) {
    const path = newPath();
    saveWeights(path, vars);
    const other = build(vars === noisy ? noise : null);
    loadWeights(path, other);
    expect(bits(other)).toEqual(bits(vars));
  }
});

test.skipIf(process.platform === "win32")(
  "saving to a link replaces the file behind the link, and saving refuses targets that are not files",
  () => {
    const [path, link, folderLink] = [newPath(), `${newPath()}.safetensors`, newPath()];
    writeFileSync(path, "");
    symlinkSync(path, link);
    symlinkSync(at(), folderLink);
    saveWeights(link, kinds.dense!(1).vars);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    const { vars } = kinds.dense!(2);
    loadWeights(path, vars);
    expect(bits(vars)).toEqual(bits(kinds.dense!(1).vars));
    for (const [other, what] of [
      [at(), "a folder"],
      [folderLink, "a folder"],
      ["/dev/null", "not a file"],
    ] as const) {
      expect(thrown(() => saveWeights(other, vars))).toBe(`FileError: saveWeights: ${other} cannot be written: it is ${what}`);
    }
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
    chmodSync(path, 0o600);
    saveWeights(path, vars);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const nowhere = newPath();
    symlinkSync(`${nowhere}.gone`, nowhere);
    expect(thrown(() => saveWeights(nowhere, vars))).toBe(
      `FileError: saveWeights: ${nowhere} cannot be written: it is a link to a file that does not exist`,
    );
    expect(lstatSync(nowhere).isSymbolicLink()).toBe(true);
  },
);

test("saving includes the variables outside the pool, running statistics among them", () => {
  const build = (): { own: DenseVariables; vars: VariableFactory } => {
    const own = new DenseVariables({ seed: 1 });
    batchNorm(scope(own, "norm"), 4);
    const vars = new VariableFactory({ pool: poolOf(1), variables: own });
    dense(scope(vars, "hidden"), 4, 6);
    return { own, vars };
  };
  const { vars } = build();
  const names = [...weightsOf(vars).keys()];
  expect(names.filter((name) => name.startsWith("norm/")).length).toBe(4);
  expect(vars.variables().map(({ name }) => name)).not.toContain("hidden/kernel/scale");
});

test("strict: false loads variables with the same name and shape and reports the rest, and strict reports all as loaded", () => {
  const saved = kinds.dense!(1);
  const bytes = encodeWeights(saved.vars);
  const vars = new DenseVariables({ seed: 2 });
  sequential(dense(scope(vars, "hidden"), 4, 6), dense(scope(vars, "out"), 6, 5), dense(scope(vars, "head"), 5, 2));
  const before = bits(vars);
  const report = loadWeights(bytes, vars, { strict: false });
  expect(report).toEqual({
    loaded: ["hidden/kernel", "hidden/bias"],
    missing: ["head/kernel", "head/bias"],
    unexpected: ["norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance"],
    mismatched: ["out/kernel", "out/bias"],
  });
  expect(bits(vars).get("hidden/kernel")).toEqual(bits(saved.vars).get("hidden/kernel"));
  for (const name of ["out/kernel", "head/kernel"]) expect(bits(vars).get(name)).toEqual(before.get(name));
  const twin = kinds.dense!(3);
  const names = [...bits(twin.vars).keys()];
  expect(loadWeights(bytes, twin.vars)).toEqual({ loaded: names, missing: [], unexpected: [], mismatched: [] });
});

test("strict: false refuses a file without any variable that fits and gives the reason", () => {
  const other = new DenseVariables();
  dense(scope(other, "elsewhere"), 4, 6);
  const refused = (saved: VariableCreator, vars: VariableCreator): string =>
    thrown(() => loadWeights(encodeWeights(saved), vars, { strict: false }));
  expect(refused(kinds.dense!(1).vars, other)).toBe(
    'FormatError: weights: none of its tensors fits the model: has no "elsewhere/kernel"; it was saved from another model',
  );
  const pooled = (seed: number): VariableCreator => {
    const vars = new VariableFactory({ pool: poolOf(seed), modifier: signModifier });
    vars.create("kernel", [4, 6]);
    return vars;
  };
  const fewer = new VariableFactory({ pool: new HashVariablePool({ poolSize: 42, fraction: 0.5 }), modifier: signModifier });
  fewer.create("kernel", [4, 6]);
  expect(refused(pooled(1), fewer)).toMatch(/none of its tensors fits the model: it was saved with the pool product/);
  expect(loadWeights(encodeWeights(new DenseVariables()), new DenseVariables(), { strict: false }).loaded).toEqual([]);
});

test("strict: false refuses a damaged file and loads a pool only if the pool gives the same weights", () => {
  const bytes = encodeWeights(kinds.compressed!(1).vars);
  const flipped = bytes.slice();
  flipped[flipped.length - 1]! ^= 1;
  const { vars } = kinds.compressed!(2);
  expect(thrown(() => loadWeights(flipped, vars, { strict: false }))).toMatch(/^FormatError: weights: its content does not fit/);
  const other = built(new VariableFactory({ pool: poolOf(3) }), reordered).vars;
  const before = bits(other);
  const { loaded, mismatched } = loadWeights(bytes, other, { strict: false });
  expect(mismatched).toEqual(["variable_left", "variable_right"]);
  expect(loaded).toContain("hidden/kernel/scale");
  for (const name of mismatched) expect(bits(other).get(name)).toEqual(before.get(name));
});

test("a file of PyTorch with an I64 and a BF16 tensor loads into the layers that fit", () => {
  const entry = (dtype: string, shape: number[], begin: number, end: number): object => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const header = JSON.stringify({
    __metadata__: { format: "pt", checksum: "of another kind" },
    "hidden/kernel": entry("BF16", [2, 2], 0, 8),
    "norm.num_batches_tracked": entry("I64", [], 8, 16),
  });
  const bytes = Buffer.concat([
    Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer),
    Buffer.from(header),
    Buffer.from(Uint16Array.of(0x3f80, 0x4000, 0xbf80, 0x3f00).buffer),
    Buffer.from(BigInt64Array.of(1234n).buffer),
  ]);
  const vars = new DenseVariables();
  vars.create("hidden/kernel", [2, 2]);
  expect(loadWeights(bytes, vars, { strict: false })).toEqual({
    loaded: ["hidden/kernel"],
    missing: [],
    unexpected: ["norm.num_batches_tracked"],
    mismatched: [],
  });
  expect([...vars.parameters()[0]!.tensor.data]).toEqual([1, 2, -1, 0.5]);
  expect(thrown(() => loadWeights(bytes, vars))).toMatch(/holds "norm.num_batches_tracked", which the model does not have/);
});

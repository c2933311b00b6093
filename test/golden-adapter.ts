import {
  add,
  assign,
  avgPool2d,
  backward,
  batchNormTraining,
  conv2d,
  crossEntropy,
  DenseVariables,
  depthwiseConv2d,
  div,
  exp,
  globalAvgPool2d,
  gradients,
  matmul,
  max,
  maxPool2d,
  mul,
  type Padding,
  type Pair,
  type Parameter,
  relu,
  type Shape,
  softmax,
  sum,
  survey,
  type Tensor,
  tanh,
  tensor,
  training,
  variable,
} from "hashgrad";
import { conv2d as convLayer, dense as denseLayer, toyNetwork } from "hashgrad/nn";
import { adam, type Optimizer, sgd } from "hashgrad/optim";
import {
  basicStore,
  composeModifiers,
  constantFanoutScaleModifier,
  cyclicStore,
  fanoutScale,
  HashVariablePool,
  type MetaVariablePool,
  type Modifier,
  type PoolOptions,
  type PoolSlice,
  ProductVariablePool,
  paddingStore,
  reluModifier,
  selector,
  signModifier,
  VariableFactory,
  type VariablePool,
  variableFanoutScaleModifier,
  variableScaleModifier,
} from "hashgrad/smh";
import type { GoldenCase, GoldenTensor, Got } from "./golden-cases.ts";
import { metaPool } from "./meta-pool.ts";

/** Runs a golden case through the public API. This file alone knows how the cases spell things. */
export function run(test: GoldenCase): Got {
  const found = answers[test.op];
  if (found === undefined) throw new Error(`no adapter for ${test.op}`);
  return found(test);
}

type Named = Readonly<Record<string, Tensor>>;

const toTensor = ({ data, shape }: GoldenTensor): Tensor => tensor(Float32Array.from(data, Number), shape);
const shown = (x: Tensor): { shape: Shape; data: ArrayLike<number> } => ({ shape: x.shape, data: x.toArray() });
const shownAll = (xs: Named): Record<string, { shape: Shape; data: ArrayLike<number> }> =>
  Object.fromEntries(Object.entries(xs).map(([name, x]) => [name, shown(x)]));

/** Gradients of Σ⟨upstream, output⟩ towards leaves. */
function gradientsOf(test: GoldenCase, outputs: Named, leaves: Named): Named {
  const terms = Object.entries(test.upstream ?? {}).map(([name, upstream]) => sum(mul(outputs[name]!, toTensor(upstream))));
  if (terms.length === 0) return {};
  const names = Object.keys(leaves);
  const found = gradients(terms.reduce(add), Object.values(leaves));
  return Object.fromEntries(names.map((name, i) => [name, found[i]!]));
}

/** A case of tensors in and tensors out. */
function op(compute: (inputs: Named, attrs: Readonly<Record<string, never>>, test: GoldenCase) => Tensor | Named) {
  return (test: GoldenCase): Got => {
    const inputs = Object.fromEntries(Object.entries(test.inputs ?? {}).map(([name, x]) => [name, variable(toTensor(x))]));
    const result = compute(inputs, test.attrs as Readonly<Record<string, never>>, test);
    const outputs =
      "shape" in result && "size" in result
        ? { [Object.keys(test.outputs ?? { y: 0 })[0]!]: result as Tensor }
        : (result as Named);
    const wanted = Object.keys(test.grads ?? {});
    const leaves = Object.fromEntries(wanted.map((name) => [name, inputs[name]!]));
    return { outputs: shownAll(outputs), grads: wanted.length === 0 ? {} : shownAll(gradientsOf(test, outputs, leaves)) };
  };
}

const convOptions = (
  { bias }: Named,
  attrs: Readonly<Record<string, never>>,
): { strides: Pair; dilations: Pair; padding: Padding; groups?: number; bias?: Tensor } => ({
  strides: attrs.strides!,
  dilations: attrs.dilations!,
  padding: attrs.padding!,
  ...(attrs.groups === undefined ? {} : { groups: attrs.groups }),
  ...(bias === undefined ? {} : { bias }),
});

type PoolAttributes = {
  readonly pool?: string;
  readonly type?: string;
  readonly poolSize: number;
  readonly fraction: number;
  readonly stddev?: number;
  readonly store?: "basic" | "cyclic" | "padding";
  readonly kronecker?: boolean;
  readonly elements?: readonly string[];
  readonly reduceBy?: string;
};

function poolOf(a: PoolAttributes): VariablePool {
  const options: PoolOptions = {
    poolSize: a.poolSize,
    fraction: a.fraction,
    ...(a.stddev === undefined ? {} : { stddev: a.stddev }),
    ...(a.store === undefined ? {} : { indexStore: a.store }),
  };
  if (a.elements !== undefined) {
    const parts = a.elements.map((name) => name.toLowerCase() as "product" | "hash");
    const reduce = { SUM: "sum", PROD: "product" }[a.reduceBy ?? ""] ?? a.reduceBy;
    return metaPool(parts, reduce as "sum", options);
  }
  const kind = a.pool ?? a.type ?? (a.kronecker ? "kronecker" : "product");
  return kind === "hash"
    ? new HashVariablePool(options)
    : new ProductVariablePool({ ...options, useKroneckerProduct: kind === "kronecker" });
}

/** The pool's factors under the names of the golden files, set to their values. */
function coreOf(pool: VariablePool, inputs: Readonly<Record<string, GoldenTensor>>): Named {
  const spelled = ({ name }: Parameter): string => {
    const [, part = "", leaf = ""] = /^(?:part_(\d+)\/)?(?:variable_)?(\w+)$/.exec(name) ?? [];
    return `${leaf}${part}`;
  };
  const core = Object.fromEntries(pool.coreVariables.map((parameter) => [spelled(parameter), parameter.tensor]));
  for (const [name, x] of Object.entries(core)) assign(x, toTensor(inputs[name]!));
  return core;
}

const MODIFIERS: Readonly<Record<string, Modifier>> = {
  RELU: reluModifier,
  FANOUT: constantFanoutScaleModifier,
  VAR: variableScaleModifier,
  VAR_FANOUT: variableFanoutScaleModifier,
  BIN: signModifier,
};

function optimizerOf(parameters: readonly Parameter[], a: Readonly<Record<string, number | string | boolean>>): Optimizer {
  const learningRate = Number(a.lr);
  const groups = [{ match: "", rateFactor: 1 }]; // the reference has one rate for everything
  if (a.type === "sgd")
    return sgd(parameters, { learningRate, groups, momentum: Number(a.momentum ?? 0), nesterov: a.nesterov === true });
  return adam(parameters, { learningRate, groups, beta1: Number(a.beta1), beta2: Number(a.beta2), epsilon: Number(a.epsilon) });
}

const deviation = (x: Float32Array): { mean: number; std: number } => {
  const mean = x.reduce((total, v) => total + v, 0) / x.length;
  return { mean, std: Math.sqrt(x.reduce((total, v) => total + (v - mean) ** 2, 0) / x.length) };
};

const answers: Readonly<Record<string, (test: GoldenCase) => Got>> = {
  conv2d: op(({ x, kernel, ...rest }, attrs) => conv2d(x!, kernel!, convOptions(rest, attrs))),
  depthwiseConv2d: op(({ x, kernel, ...rest }, attrs) => depthwiseConv2d(x!, kernel!, convOptions(rest, attrs))),
  relu: op(({ x }) => relu(x!)),
  maxPool2d: op(({ x }, { size, strides, padding }) => maxPool2d(x!, size!, { strides: strides!, padding: padding! })),
  avgPool2d: op(({ x }, { size, strides, padding }) => avgPool2d(x!, size!, { strides: strides!, padding: padding! })),
  globalAvgPool2d: op(({ x }) => globalAvgPool2d(x!)),
  "graph.diamond": op(({ x }) => add(mul(tanh(x!), exp(x!)), x!)),
  add: op(({ a, b }) => add(a!, b!)),
  div: op(({ a, b }) => div(a!, b!)),
  max: op(({ x }, { axis, keepDims }) => max(x!, axis ?? undefined, { keepDims: keepDims! })),
  matmul: op(({ a, b }, { transposeA, transposeB }) => matmul(a!, b!, { transposeA: transposeA!, transposeB: transposeB! })),
  softmax: op(({ x }, { axis }) => softmax(x!, axis)),
  softmaxCrossEntropySparse: op(({ logits }, { reduction }, test) =>
    crossEntropy(logits!, test.inputs!.labels!.data.map(Number), { reduction: reduction! }),
  ),
  batchNormTrain: op(({ x, gamma, beta, movingMean, movingVariance }, { epsilon, momentum }) => {
    const { y, mean, variance } = batchNormTraining(x!, gamma!, beta!, epsilon);
    const moved = (old: Tensor, batch: Tensor): Tensor => add(mul(old, momentum!), mul(batch, 1 - momentum!));
    return { y, newMovingMean: moved(movingMean!, mean), newMovingVariance: moved(movingVariance!, variance) };
  }),

  optimizer: ({ attrs, inputs }) => {
    const p = variable(toTensor(inputs!.param!));
    const optimizer = optimizerOf([{ name: "p", tensor: p, decay: true }], attrs as Record<string, number>);
    const { shape, data } = inputs!.grads!;
    const steps = Array.from({ length: shape[0]! }, (_, i) => {
      const gradient = tensor(Float32Array.from(data.slice(i * p.size, (i + 1) * p.size), Number), p.shape);
      backward(mul(p, 1), gradient);
      optimizer.step();
      return [...p.toArray()];
    });
    return { outputs: { params: { shape, data: steps.flat() } } };
  },

  "smh.product.dims": ({ attrs }) => {
    const pool = poolOf(attrs as PoolAttributes) as ProductVariablePool;
    const [left, right] = pool.coreVariables;
    return {
      expect: {
        dim: pool.dim,
        replicas: pool.replicas,
        size: pool.poolSize,
        coreSize: pool.coreSize,
        leftShape: left!.tensor.shape,
        rightShape: right!.tensor.shape,
        initStddev: Math.sqrt(Number(attrs.stddev) / Math.sqrt(pool.replicas)),
      },
    };
  },
  "smh.hash.dims": ({ attrs }) => {
    const pool = poolOf({ ...(attrs as PoolAttributes), pool: "hash" });
    assign(
      pool.coreVariables[0]!.tensor,
      Float32Array.from({ length: pool.coreSize }, (_, i) => i),
    );
    return {
      expect: {
        hashSize: pool.coreSize,
        coreSize: pool.coreSize,
        size: pool.poolSize,
        coreShapes: pool.coreVariables.map((core) => core.tensor.shape),
        indexMap: [...pool.getSlice([pool.poolSize]).read().toArray()],
        initStddev: Math.fround(Number(attrs.stddev)),
      },
    };
  },
  "smh.meta.dims": ({ attrs }) => {
    const pool = poolOf(attrs as PoolAttributes) as MetaVariablePool;
    const n = pool.parts.length;
    return {
      expect: {
        subpools: pool.parts.map((part) => {
          const own = { size: part.poolSize, coreSize: part.coreSize };
          if (!(part instanceof ProductVariablePool)) return { type: "HASH", ...own, initStddev: part.stddev };
          const initStddev = Math.sqrt(part.stddev / Math.sqrt(part.replicas));
          return { type: "PRODUCT", ...own, initStddev, replicas: part.replicas, dim: part.dim };
        }),
        coreSize: pool.coreSize,
        size: pool.poolSize,
        elementFraction: Number(attrs.fraction) / n,
        elementStddev: pool.parts[0]!.stddev,
      },
    };
  },
  "smh.pool.error": ({ attrs }) => ({ expect: poolOf(attrs as PoolAttributes) }),
  "smh.product.initStats": ({ attrs, expect }) => {
    const pool = poolOf({ ...(attrs as PoolAttributes), pool: attrs.kronecker === true ? "kronecker" : "product" });
    const [left, right] = pool.coreVariables.map((core) => deviation(core.tensor.toArray()));
    const whole = deviation(pool.getSlice([pool.poolSize]).read().toArray());
    const bounds = attrs.bounds as Record<string, number>;
    const want = expect as Record<string, number>;
    const within = (got: { mean: number; std: number }, name: string, kind: string): Record<string, number> => ({
      [`${name}Mean`]: Math.abs(got.mean) <= bounds[`${kind}MeanAbs`]! ? want[`${name}Mean`]! : got.mean,
      [`${name}Std`]: Math.abs(got.std / want[`${name}Std`]! - 1) <= bounds[`${kind}StdRel`]! ? want[`${name}Std`]! : got.std,
    });
    return { expect: { ...within(left!, "left", "core"), ...within(right!, "right", "core"), ...within(whole, "pool", "pool") } };
  },

  "smh.store": ({ attrs }) => {
    const make = { basic: basicStore, cyclic: cyclicStore, padding: paddingStore }[attrs.type as "basic"];
    const store = make(Number(attrs.size));
    const steps = (attrs.requests as number[]).map((length) => {
      try {
        const indices = store
          .allocate(length)
          .flatMap((range) => Array.from({ length: range.length }, (_, i) => (range.begin < 0 ? -1 : range.begin + i)));
        return { indices, current: store.current };
      } catch {
        return { error: true, current: store.current };
      }
    });
    return { expect: { steps } };
  },

  "smh.virtual": (test) => {
    const pool = poolOf(test.attrs as unknown as PoolAttributes);
    const slices = (test.attrs.shapes as Shape[]).map((shape): PoolSlice => pool.getSlice(shape));
    const core = coreOf(pool, test.inputs!);
    const outputs = Object.fromEntries(slices.map((slice, i) => [`slice${i}`, slice.read()]));
    return { outputs: shownAll(outputs), grads: shownAll(gradientsOf(test, outputs, core)) };
  },
  "smh.virtual.meta": (test) => answers["smh.virtual"]!(test),
  "smh.virtual.overflow": ({ attrs }) => {
    const pool = poolOf(attrs as PoolAttributes);
    const firstErrorAt = (attrs.shapes as Shape[]).findIndex((shape) => {
      try {
        pool.getSlice(shape);
        return false;
      } catch {
        return true;
      }
    });
    return { expect: { firstErrorAt } };
  },

  "smh.factory.matches": ({ attrs }) => {
    const takes = selector(attrs.applyTo === null ? ".*" : String(attrs.applyTo));
    return { expect: { compressed: (attrs.names as string[]).map((name) => takes(name, [1])) } };
  },
  "smh.factory.sequence": (test) => {
    const pool = poolOf(test.attrs as PoolAttributes);
    const factory = new VariableFactory({ pool, applyTo: String(test.attrs.applyTo), modifier: null });
    const unique = test.attrs.mode === "tf2";
    const requests = test.attrs.requests as { name: string; shape: Shape }[];
    const made = requests.map(({ name, shape }, i) => factory.create(unique ? `${name}_${i}` : name, shape, { reuse: !unique }));
    const core = coreOf(pool, test.inputs!);
    const compressed = made.map((v) => v.storage === "pool");
    const outputs = Object.fromEntries(made.flatMap((v, i) => (compressed[i] ? [[`v${i}`, v.read()]] : [])));
    return {
      outputs: shownAll(outputs),
      grads: shownAll(gradientsOf(test, outputs, core)),
      expect: { compressed, status: pool.status },
    };
  },

  "toyNet.count": ({ attrs }) => {
    const inputShape = attrs.inputShape as [number, number, number];
    const rows = survey((vars) => toyNetwork(vars, { inputShape }));
    return { expect: { params: rows.reduce((total, row) => total + row.size, 0), shapes: rows.map((row) => row.shape) } };
  },
  "layers.variables": ({ attrs }) => {
    const [inputs, channels] = [(attrs.inputShape as number[])[0]!, (attrs.inputShape as number[])[2]];
    const bias = attrs.useBias === true;
    const rows = survey((vars) =>
      attrs.layer === "dense"
        ? denseLayer(vars, inputs, Number(attrs.units), { bias })
        : convLayer(vars, channels!, Number(attrs.filters), attrs.kernelSize as [number, number], { bias }),
    );
    return { expect: { variables: rows.map(({ name, shape }) => ({ name, shape })) } };
  },

  "smh.fanoutScale": ({ attrs }) => ({ expect: { scale: fanoutScale(attrs.shape as Shape) } }),
  "smh.modifier": (test) => {
    const x = variable(toTensor(test.inputs!.x!));
    const scales: Record<string, Tensor> = {};
    const modifier = composeModifiers(...(test.attrs.chain as string[]).map((name) => MODIFIERS[name]!));
    const y = modifier(x, {
      name: "x",
      shape: x.shape,
      init: { name: "none", mean: 0, deviation: () => 1, draw: () => x },
      stddev: 1,
      variable: () => {
        const name = `scale${Object.keys(scales).length}`;
        scales[name] = variable(toTensor(test.inputs![name]!));
        return scales[name];
      },
    });
    return { outputs: { y: shown(y) }, grads: shownAll(gradientsOf(test, { y }, { x, ...scales })) };
  },
  "smh.modifier.facts": ({ attrs }) => {
    const pool = poolOf({ poolSize: 16, fraction: 1 });
    const modifier = composeModifiers(...(attrs.modifiers as string[]).map((name) => MODIFIERS[name]!));
    const factory = new VariableFactory({ pool, modifier });
    factory.create("a", [2, 2]);
    factory.create("b", [2, 2]);
    const scales = factory.parameters().filter((p) => !pool.coreVariables.includes(p));
    return {
      expect: {
        initialScale: Math.max(...scales.map((p) => p.tensor.item())),
        scaleShape: scales[0]!.tensor.shape,
        trainable: scales.every((p) => p.tensor.tracked),
        countedInCoreSize: pool.coreSize !== pool.coreVariables.reduce((total, p) => total + p.tensor.size, 0),
        perTensor: scales.length === 4,
      },
    };
  },

  "e2e.toyNet": (test) => {
    const {
      pool: poolAttrs,
      optimizer: optimizerAttrs,
      inputShape,
      steps,
    } = test.attrs as {
      pool: PoolAttributes & { applyTo: string; modifiers: string[] };
      optimizer: Record<string, number>;
      inputShape: [number, number, number];
      steps: number;
    };
    const pool = poolOf(poolAttrs);
    const modifier = composeModifiers(...poolAttrs.modifiers.map((name) => MODIFIERS[name]!));
    const factory = new VariableFactory({ pool, applyTo: poolAttrs.applyTo, modifier, variables: new DenseVariables() });
    const model = toyNetwork(factory, { inputShape });
    const own = factory.parameters().filter((p) => !pool.coreVariables.includes(p));
    for (const { name, tensor: x } of own) assign(x, toTensor(test.inputs![name]!));
    const trained = { ...coreOf(pool, test.inputs!), ...Object.fromEntries(own.map((p) => [p.name, p.tensor])) };
    const images = toTensor(test.inputs!.images!);
    const labels = test.inputs!.labels!.data.map(Number);
    const optimizer = optimizerOf(factory.parameters(), { ...optimizerAttrs });
    const lossNow = (): Tensor =>
      crossEntropy(
        training(() => model(images)),
        labels,
      );
    const logits = model(images);
    const found = gradients(lossNow(), Object.values(trained));
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) {
      const loss = lossNow();
      losses.push(loss.item());
      backward(loss);
      optimizer.step();
    }
    losses.push(lossNow().item());
    const after = Object.fromEntries(Object.entries(trained).map(([name, x]) => [`after/${name}`, shown(x)]));
    return {
      outputs: { logits: shown(logits), losses: { shape: [losses.length], data: losses }, ...after },
      grads: shownAll(Object.fromEntries(Object.keys(trained).map((name, i) => [name, found[i]!]))),
    };
  },
};

import {
  add,
  batchNormInference,
  concat,
  DenseVariables,
  Generator,
  globalAvgPool2d,
  gradients,
  hardSigmoid,
  hardSwish,
  mean,
  mul,
  relu,
  relu6,
  reshape,
  type Shape,
  sigmoid,
  silu,
  slice,
  sum,
  type Tensor,
  tensor,
  training,
  variable,
} from "hashgrad";
import { basicBlock, bottleneck, invertedResidual } from "hashgrad/models";
import { type Layer, optionAShortcut, type ShortcutZeros, squeezeExcite, stochasticDepth } from "hashgrad/nn";
import { run } from "./golden-adapter.ts";
import type { GoldenCase, GoldenTensor, Got } from "./golden-cases.ts";

// The cases of test/goldens/models/blocks.json.

type Named = Readonly<Record<string, Tensor>>;
type Attributes = {
  readonly mode?: "train" | "eval";
  readonly stride: number;
  readonly zeros?: ShortcutZeros;
  readonly epsilon: number;
  readonly momentum: number;
  readonly expandRatio: number;
  readonly kernelSize: number;
  readonly activation: keyof typeof ACTIVATIONS;
  readonly gate: keyof typeof ACTIVATIONS;
  readonly squeezeExcite: { readonly activation: keyof typeof ACTIVATIONS; readonly gate: keyof typeof ACTIVATIONS } | null;
  readonly outChannels: number;
  readonly outputSize: readonly [number, number];
  readonly rate: number;
};

const ACTIVATIONS = { relu, relu6, hardSwish, hardSigmoid, silu, sigmoid };

const toTensor = ({ data, shape }: GoldenTensor): Tensor => tensor(Float32Array.from(data, Number), shape);
const shown = (x: Tensor): { shape: Shape; data: ArrayLike<number> } => ({ shape: x.shape, data: x.toArray() });

/** Outputs and gradients of a function of leaves. */
function answer(test: GoldenCase, leaves: Named, compute: () => Tensor, after: () => Named = () => ({})): Got {
  const y = compute();
  const names = Object.keys(test.grads ?? {});
  const found = gradients(
    sum(mul(y, toTensor(test.upstream!.y!))),
    names.map((name) => leaves[name]!),
  );
  const outputs = Object.entries({ y, ...after() }).map(([name, x]) => [name, shown(x)] as const);
  return { outputs: Object.fromEntries(outputs), grads: Object.fromEntries(names.map((name, i) => [name, shown(found[i]!)])) };
}

/** A function of the case's inputs. */
const op =
  (compute: (inputs: Named, attrs: Attributes) => Tensor) =>
  (test: GoldenCase): Got => {
    const inputs = Object.fromEntries(Object.entries(test.inputs!).map(([name, x]) => [name, variable(toTensor(x))]));
    return answer(test, inputs, () => compute(inputs, test.attrs as unknown as Attributes));
  };

/** The name of a running statistic in the case's inputs. */
const STATISTICS: Readonly<Record<string, string>> = { mean: "moving_mean", variance: "moving_variance" };

/** A layer with variables: their numbers come from the case, by name. */
const layer =
  (make: (vars: DenseVariables, channels: number, attrs: Attributes, inputs: Readonly<Record<string, GoldenTensor>>) => Layer) =>
  (test: GoldenCase): Got => {
    const { x: image, ...numbers } = test.inputs!;
    const [attrs, vars] = [test.attrs as unknown as Attributes, new DenseVariables()];
    const block = make(vars, image!.shape.at(-1)!, attrs, numbers);
    const byName = new Map(vars.variables().map((one) => [one.name, one]));
    const own = (name: string): string => name.replace(/\w+$/, (leaf) => STATISTICS[leaf] ?? leaf);
    for (const [name, values] of Object.entries(numbers)) byName.get(own(name))!.assign(toTensor(values));
    const x = variable(toTensor(image!));
    const leaves = { x, ...Object.fromEntries(vars.parameters().map((parameter) => [parameter.name, parameter.tensor])) };
    const after = (): Named =>
      Object.fromEntries(
        Object.keys(test.outputs!).flatMap((name) => {
          const statistic = name.replace(/new(\w+)$/, (_, leaf: string) => STATISTICS[leaf.toLowerCase()]!);
          return name === "y" ? [] : [[name, byName.get(statistic)!.read()]];
        }),
      );
    return answer(test, leaves, () => (attrs.mode === "train" ? training(() => block(x)) : block(x)), after);
  };

const residual = (block: typeof basicBlock) =>
  layer((vars, channels, { stride, epsilon, momentum, zeros }, inputs) => {
    const filters = Object.entries(inputs)
      .findLast(([name]) => name.startsWith("conv"))![1]
      .shape.at(-1)!;
    const options = { stride, epsilon, momentum, ...(zeros === undefined ? {} : { shortcutZeros: zeros }) };
    return block(vars, channels, filters, options);
  });

/** The first seed whose draws keep the rows of a mask: 1 keeps, 0 drops. */
function generatorOf(mask: readonly number[], rate: number): Generator {
  for (let seed = 0; ; seed++) {
    const random = new Generator(seed);
    if (mask.every((kept) => Number(random.uniform() >= rate) === kept)) return new Generator(seed);
  }
}

/** The mean over bins: bin i of n inputs and m outputs goes from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉. */
function adaptiveMean(x: Tensor, axis: number, m: number): Tensor {
  const n = x.shape[axis]!;
  const bins = Array.from({ length: m }, (_, i) => {
    const [begin, end] = [Math.floor((i * n) / m), Math.ceil(((i + 1) * n) / m)];
    const size = x.shape.map((length, a) => (a === axis ? end - begin : length));
    const at = x.shape.map((_, a) => (a === axis ? begin : 0));
    return mean(slice(x, at, size), axis, { keepDims: true });
  });
  return concat(bins, axis);
}

const answers: Readonly<Record<string, (test: GoldenCase) => Got>> = {
  relu6: op(({ x }) => relu6(x!)),
  hardSwish: op(({ x }) => hardSwish(x!)),
  hardSigmoid: op(({ x }) => hardSigmoid(x!)),
  silu: op(({ x }) => silu(x!)),
  globalAvgPool2d: op(({ x }) => globalAvgPool2d(x!)),
  adaptiveAvgPool2d: op(({ x }, { outputSize: [height, width] }) => {
    const [batch, , , channels] = x!.shape as [number, number, number, number];
    return height * width === 1
      ? reshape(globalAvgPool2d(x!), [batch, 1, 1, channels])
      : adaptiveMean(adaptiveMean(x!, 1, height), 2, width);
  }),
  batchNormInference: op(({ x, gamma, beta, movingMean, movingVariance }, { epsilon }) =>
    batchNormInference(x!, gamma!, beta!, movingMean!, movingVariance!, epsilon),
  ),
  squeezeExcite: layer((vars, channels, { activation, gate }, inputs) => {
    const squeezed = inputs["squeeze/bias"]!.shape[0]!;
    return squeezeExcite(vars, channels, { squeezed, activation: ACTIVATIONS[activation], gate: ACTIVATIONS[gate] });
  }),
  optionAShortcut: op(({ x }, { stride, outChannels, zeros = "around" }) =>
    optionAShortcut(x!.shape.at(-1)!, outChannels, stride, zeros)(x!),
  ),
  stochasticDepth: (test) => {
    const mask = test.inputs!.mask!.data.map(Number);
    return op(({ x, shortcut }, { rate }) =>
      add(
        shortcut!,
        training(() => stochasticDepth(rate, generatorOf(mask, rate))(x!)),
      ),
    )(test);
  },
  "block.basic": residual(basicBlock),
  "block.bottleneck": residual(bottleneck),
  "block.invertedResidual": layer((vars, channels, attrs, inputs) => {
    const { stride, expandRatio, kernelSize, activation, squeezeExcite: squeeze, epsilon, momentum } = attrs;
    const options = { stride, kernelSize, epsilon, momentum, expanded: channels * expandRatio };
    return invertedResidual(vars, channels, inputs["project/kernel"]!.shape.at(-1)!, {
      ...options,
      activation: ACTIVATIONS[activation],
      ...(squeeze === null
        ? {}
        : {
            squeezeExcite: {
              squeezed: inputs["squeeze/bias"]!.shape[0]!,
              activation: ACTIVATIONS[squeeze.activation],
              gate: ACTIVATIONS[squeeze.gate],
            },
          }),
    });
  }),
};

/** Runs a case of blocks.json; ops that other golden files have too take their adapter. */
export function runBlock(test: GoldenCase): Got {
  return (answers[test.op] ?? run)(test);
}

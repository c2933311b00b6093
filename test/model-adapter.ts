import {
  assign,
  crossEntropy,
  DenseVariables,
  gradients,
  type Tensor,
  tensor,
  training,
  type VariableCreator,
  variable,
} from "hashgrad";
import * as models from "hashgrad/models";
import type { Layer } from "hashgrad/nn";
import { constantFanoutScaleModifier, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import {
  fill,
  libraryIndex,
  type ModelFile,
  type ModelRun,
  misses,
  normOf,
  rmsOf,
  sha256,
  toLibrary,
  type WantedGradient,
} from "./model-cases.ts";

type Options = models.CifarResNetOptions;

/** A family member by its name in the golden files. Dropout and stochastic depth are off. */
export function build(vars: VariableCreator, name: string, given: Options = {}): Layer {
  const options = { dropout: 0, stochasticDepth: 0, ...given };
  const [, family, member = ""] = /^([a-z]+(?:_v\d)?)_?(?:b?(\d+)|small|large)?$/.exec(name) ?? [];
  if (family === "resnet" && [18, 34, 50, 101, 152].includes(Number(member)))
    return models.resNet(vars, Number(member) as 18, options);
  if (family === "resnet") return models.cifarResNet(vars, Number(member), options);
  if (family === "mobilenet_v2") return models.mobileNetV2(vars, options);
  if (family === "mobilenet_v3") return models.mobileNetV3(vars, name.endsWith("large") ? "large" : "small", options);
  if (family === "efficientnet") return models.efficientNet(vars, Number(member), options);
  throw new Error(`no adapter for ${name}`);
}

/** A golden model with its numbers: what is trained, in PyTorch's order, and the running statistics. */
function load(file: ModelFile, run: ModelRun): { model: Layer; vars: VariableCreator; leaves: Map<string, Tensor> } {
  const { pool: wanted, parameters, statistics, model: asked } = file;
  const pool = wanted === undefined ? null : new ProductVariablePool({ poolSize: wanted.size, fraction: wanted.fraction });
  const own = new DenseVariables();
  const vars = pool === null ? own : new VariableFactory({ pool, modifier: constantFanoutScaleModifier, variables: own });
  const model = build(vars, asked.name, { classes: asked.classes, width: asked.width, ...run.options });
  const leaves = new Map<string, Tensor>();
  const filled: Float32Array[] = [];
  if (pool !== null) {
    for (const [i, factor] of [wanted!.left, wanted!.right].entries()) {
      filled.push(fill(factor));
      assign(pool.coreVariables[i]!.tensor, filled.at(-1)!);
      leaves.set(factor.name, pool.coreVariables[i]!.tensor);
    }
  }
  const tensors = new Map(own.parameters().map((parameter) => [parameter.name, parameter.tensor]));
  const trained = vars.variables().filter((one) => one.trainable);
  const moving = vars.variables().filter((one) => !one.trainable);
  if (trained.length !== parameters.length || moving.length !== statistics.length)
    throw new Error(`${trained.length} variables and ${moving.length} statistics`);
  for (const [i, parameter] of parameters.entries()) {
    const one = trained[i]!;
    if (one.storage === "pool") {
      if (one.shape.join() !== parameter.libraryShape!.join()) throw new Error(`${one.name} is not ${parameter.name}`);
      continue;
    }
    filled.push(fill(parameter));
    one.assign(toLibrary(parameter.shape, filled.at(-1)!));
    leaves.set(parameter.name, tensors.get(one.name)!);
  }
  for (const [i, one] of statistics.entries()) {
    filled.push(fill(one));
    moving[i]!.assign(filled.at(-1)!);
  }
  if (sha256(filled) !== file.sha256) throw new Error("the filled numbers have another digest");
  return { model, vars, leaves };
}

/** How a run differs from its golden file: nothing if it is right. */
export function runDifferences(file: ModelFile, run: ModelRun): string[] {
  const { model, vars, leaves } = load(file, run);
  const { image, labels, tol } = run;
  const x = variable(tensor(fill(image), image.shape));
  const logits = model(x);
  const result = training(() => model(x));
  const loss = crossEntropy(result, labels);
  const found = gradients(loss, [...leaves.values(), x]).map((gradient) => gradient.toArray());
  const byName = new Map([...leaves.keys()].map((name, i) => [name, found[i]!]));
  const shapes = new Map(file.parameters.map(({ name, shape }) => [name, shape]));
  const moving = vars.variables().filter((one) => !one.trainable);
  const places = new Map(file.statistics.map(({ name }, i) => [name, i]));
  const gradient = (got: Float32Array, want: Omit<WantedGradient, "name">, name: string, at: (i: number) => number): string[] => {
    const { norm, entry } = { ...tol, ...want.tol };
    const size = normOf(got);
    if (want.zero) return size <= want.atol! ? [] : [`the norm of ∂${name} is ${size}, want 0`];
    const entries = want.at!.map((i) => got[at(i)]!);
    return [
      ...misses(`norm of ∂${name}`, [size], [want.norm], norm, 0),
      ...misses(`∂${name}`, entries, want.values!, entry, want.norm / Math.sqrt(got.length)),
    ];
  };
  return [
    ...misses("logits", logits.toArray(), run.eval.logits.data, tol.eval, rmsOf(run.eval.logits.data)),
    ...misses("loss", [crossEntropy(logits, labels).item()], [run.eval.loss], tol.eval, 1),
    ...misses("training logits", result.toArray(), run.train.logits.data, tol.train, rmsOf(run.train.logits.data)),
    ...misses("training loss", [loss.item()], [run.train.loss], tol.train, 1),
    ...run.train.statistics.flatMap(({ name, at, mean, biasedVar, meanRms, biasedVarRms }) => {
      const [means, variances] = ["running_mean", "running_var"].map((s) =>
        moving[places.get(`${name}.${s}`)!]!.read().toArray(),
      );
      const pick = (values: Float32Array | undefined): number[] => at.map((i) => values![i]!);
      return [
        ...misses(`${name} mean`, pick(means), mean, tol.train, meanRms),
        ...misses(`${name} variance`, pick(variances), biasedVar, tol.train, biasedVarRms),
        ...misses(`rms of ${name}`, [rmsOf(means!), rmsOf(variances!)], [meanRms, biasedVarRms], tol.train, 0),
      ];
    }),
    ...run.train.gradients.flatMap((want) =>
      gradient(byName.get(want.name)!, want, want.name, shapes.has(want.name) ? libraryIndex(shapes.get(want.name)!) : (i) => i),
    ),
    ...gradient(found.at(-1)!, run.train.imageGradient, "image", (i) => i),
  ];
}

/** How kernels that come from the pool differ from the golden slices. */
export function sliceDifferences(file: ModelFile): string[] {
  const { vars } = load(file, file.runs[0]!);
  const trained = vars.variables().filter((one) => one.trainable);
  const count = vars.parameters().reduce((sum, parameter) => sum + parameter.tensor.size, 0);
  return [
    ...(count === file.trainedCount ? [] : [`${count} trained numbers, want ${file.trainedCount}`]),
    ...file.kernels!.flatMap(({ name, rms, libraryIndex: at, values }) => {
      const kernel = trained[file.parameters.findIndex((parameter) => parameter.name === name)]!.read().toArray();
      const entries = at.map((i) => kernel[i]!);
      return [...misses(name, entries, values, 1e-5, rms), ...misses(`rms of ${name}`, [rmsOf(kernel)], [rms], 1e-5, 0)];
    }),
  ];
}

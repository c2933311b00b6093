import { describe, expect, test } from "vitest";
import { add, gelu, type Model, noGrad, scope, zeros } from "../../src/index.ts";
import * as models from "../../src/models/index.ts";
import * as nn from "../../src/nn/index.ts";
import { encodeOnnx } from "../../src/onnx/index.ts";
import { compress } from "../../src/smh/index.ts";
import { Generator, randomNormal, randomUniform, type Tensor, tensor } from "../../src/tensor/index.ts";
import { DenseVariables, type VariableCreator } from "../../src/variables/index.ts";
import { accepted, python } from "./checker.ts";
import { difference, load } from "./run.ts";

const TOLERANCE = 1e-4;
const random = (seed: number): Generator => new Generator(seed);

/** A language model of one block: ids [batch, 12] → logits [batch, 12, 20]. */
function gptBlock(vars: VariableCreator): nn.Layer {
  const [time, size] = [12, 16];
  const tokens = nn.embedding(scope(vars, "tokens"), 20, size);
  const positions = vars.create("positions", [time, size]);
  const attention = nn.multiHeadAttention(scope(vars, "attention"), size, 4, { causal: true });
  const [first, second, last] = ["norm1", "norm2", "norm3"].map((name) => nn.layerNorm(scope(vars, name), size)) as [
    nn.Layer,
    nn.Layer,
    nn.Layer,
  ];
  const hidden = nn.sequential(
    nn.dense(scope(vars, "mlp/in"), size, 4 * size),
    (x) => gelu(x),
    nn.dense(scope(vars, "mlp/out"), 4 * size, size),
  );
  const head = nn.dense(scope(vars, "head"), size, 20);
  return (ids) => {
    const x = add(tokens(ids), positions.read());
    const attended = add(x, attention(first(x)));
    return head(last(add(attended, hidden(second(attended)))));
  };
}

type Net = { readonly build: Model<nn.Layer>; readonly shape: readonly number[]; readonly ids?: number };
const nets: Readonly<Record<string, Net>> = {
  "toy network": { build: (vars) => nn.toyNetwork(vars), shape: [28, 28, 1] },
  "ResNet-20": { build: (vars) => models.cifarResNet(vars, 20), shape: [32, 32, 3] },
  "MobileNetV2, width 0.25": { build: (vars) => models.mobileNetV2(vars, { width: 0.25, classes: 10 }), shape: [32, 32, 3] },
  "MobileNetV3-small": { build: (vars) => models.mobileNetV3(vars, "small", { classes: 10 }), shape: [32, 32, 3] },
  "EfficientNet-B0": { build: (vars) => models.efficientNet(vars, 0, { classes: 10 }), shape: [64, 64, 3] },
  "GPT block": { build: gptBlock, shape: [12], ids: 20 },
};

/** Running statistics that differ from their starting values. */
function disturb(vars: VariableCreator): void {
  for (const variable of vars.variables()) {
    const name = variable.name.split("/").at(-1)!;
    if (name === "moving_mean" || name === "beta" || name === "bias") {
      if (variable.storage === "dense") variable.assign(randomNormal(variable.shape, random(variable.shape[0]!), 0, 0.1));
    } else if (name === "moving_variance") variable.assign(randomUniform(variable.shape, random(variable.shape[0]!), 0.5, 1.5));
  }
}

const inputsOf = ({ shape, ids }: Net, batch: number, seed: number): Tensor => {
  const generator = random(seed);
  if (ids === undefined) return randomNormal([batch, ...shape], generator);
  const x = zeros([batch, ...shape]);
  return tensor(
    Float32Array.from(x.data, () => generator.below(ids)),
    x.shape,
  );
};

const files: Uint8Array[] = [];
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

describe.each(Object.entries(nets))("onnxruntime computes the logits of %s", (name, net) => {
  test.each(["dense", "compressed"] as const)(
    "%s",
    async (kind) => {
      const dense = new DenseVariables();
      const { model, vars } =
        kind === "dense" ? { model: net.build(dense), vars: dense } : compress(net.build, { fraction: 0.1 });
      disturb(vars);
      const x = inputsOf(net, 3, 5);
      const want = noGrad(() => model(x));
      const sizes: number[] = [];
      for (const [pool, layout] of [
        ["graph", "NCHW"],
        ["materialized", "NHWC"],
      ] as const) {
        const bytes = encodeOnnx(model, [inputsOf(net, 1, 6)], { pool, layout });
        sizes.push(bytes.length);
        files.push(bytes);
        const [got] = await (await load(bytes, layout))(x);
        expect(difference(got!, want)).toBeLessThan(TOLERANCE);
      }
      const [graph = 0, materialized = 0] = sizes;
      if (kind === "compressed") {
        expect(graph).toBeLessThan(0.75 * materialized);
        console.log(`${name}: ${kilobytes(graph)} with the pool in the graph, ${kilobytes(materialized)} with the weights`);
      }
    },
    180_000,
  );
});

test.skipIf(python === undefined)("the ONNX checker accepts these files (skipped without the Python package onnx)", () => {
  expect(accepted(files)).toBe(4 * Object.keys(nets).length);
});

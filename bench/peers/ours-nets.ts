// The real networks of tasks.ts in this library.
import { DenseVariables, noGrad, step, tensor, type VariableCreator } from "../../src/index.ts";
import { cifarResNet, efficientNet, mobileNetV2 } from "../../src/models/index.ts";
import type { Layer } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { compress } from "../../src/smh/index.ts";
import { update } from "../update.ts";
import { fill, numbers, type Task } from "./program.ts";
import { NETS, type Net, type NetTask, SGD } from "./tasks.ts";

const models: Readonly<Record<Net, (vars: VariableCreator) => Layer>> = {
  "ResNet-20": (vars) => cifarResNet(vars, 20, { channels: 1 }),
  "MobileNetV2 ×0.5": (vars) => mobileNetV2(vars, { width: 0.5, classes: 10, dropout: 0 }),
  "EfficientNet-B0": (vars) => efficientNet(vars, 0, { classes: 10, dropout: 0, stochasticDepth: 0 }),
};

/** A network: dense with the starting values that all programs share, or compressed. */
function build({ net, kind }: NetTask): { model: Layer; vars: VariableCreator } {
  if (kind === "SMH 0.1") return compress(models[net], { fraction: 0.1 });
  const vars = new DenseVariables();
  const model = models[net](vars);
  for (const one of vars.variables()) one.assign(fill(one.name.slice(one.name.lastIndexOf("/") + 1), one.shape));
  return { model, vars };
}

export const netTask =
  (task: NetTask): Task =>
  (measure) => {
    const { net, batch, kind } = task;
    const { model, vars } = build(task);
    const shape = [batch, ...NETS[net]];
    const images = tensor(numbers(shape.reduce((a, b) => a * b)), shape);
    const parameters = vars.parameters().reduce((sum, parameter) => sum + parameter.tensor.size, 0);
    if (kind === "inference") {
      const results = step(() => [...noGrad(() => model(images)).data]);
      measure(() => step(() => noGrad(() => model(images).data[0]!)), { parameters, results });
      return;
    }
    const labels = Array.from({ length: batch }, (_, i) => i % 10);
    const optimizer = sgd(vars.parameters(), SGD);
    const once = (): number => update(model, optimizer, images, labels);
    measure(once, { parameters, ...(kind === "training" ? { results: [once(), once()] } : {}) });
  };

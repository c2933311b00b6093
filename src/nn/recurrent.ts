import { add, concat, matmul, mul, reshape, sigmoid, split, sub, tanh, transpose } from "../ops/index.ts";
import {
  type Outputs,
  readCount,
  readName,
  readOptions,
  readTensor,
  ShapeError,
  show,
  type Tensor,
  tidy,
  zeros,
} from "../tensor/index.ts";
import {
  type Initializer,
  readCreator,
  readInitializer,
  uniformInit,
  type VariableCreator,
  zerosInit,
} from "../variables/index.ts";
import type { Layer } from "./layer.ts";

/**
 * The result of a recurrent layer.
 * - "outputs" (default): the state after each time step, [batch, time, units].
 * - "last": the state after the last time step, [batch, units].
 * - "all": a list of the outputs and of each final state [batch, units]. Pass the states to the next call to continue a
 *   sequence.
 */
export type RecurrentReturns = "outputs" | "last" | "all";

/** Options of `gru` and `lstm`. */
export type RecurrentOptions<Returns extends RecurrentReturns = RecurrentReturns> = {
  /** What the layer returns (default "outputs"). */
  readonly returns?: Returns;
  /** The initializer of both kernels (default uniform within ±1/√units, as in PyTorch). */
  readonly init?: Initializer;
  /** The initializer of the biases (default zeros). */
  readonly biasInit?: Initializer;
};

/**
 * A gated recurrent unit (Cho et al. 2014) with the formulas of PyTorch: x [batch, time, inputs] → [batch, time,
 * units]. x·kernel + bias and h·recurrent_kernel + recurrent_bias have three parts of `units` columns, in the order r,
 * z, n of PyTorch. r = σ(xᵣ + hᵣ), z = σ(x_z + h_z), and n = tanh(xₙ + r·hₙ). The new h = (1 − z)·n + z·h.
 *
 * The second input is the initial h, [batch, units] (default zeros). The time must be at least 1.
 * Variables: `kernel` [inputs, 3·units], `recurrent_kernel` [units, 3·units], `bias` and `recurrent_bias` [3·units].
 * @param inputs - the features of x
 * @param units - the features of the state
 * @example
 * const layer = gru(new DenseVariables(), 4, 8, { returns: "last" });
 * console.log(layer(ones([2, 10, 4])).shape); //=> [ 2, 8 ]
 */
export function gru(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options?: RecurrentOptions<"outputs" | "last">,
): Layer<[x: Tensor, h?: Tensor]>;
export function gru(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options: RecurrentOptions<"all">,
): Layer<[x: Tensor, h?: Tensor], readonly [outputs: Tensor, h: Tensor]>;
export function gru(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options?: RecurrentOptions,
): Layer<[x: Tensor, h?: Tensor], Outputs> {
  const { returns, init, biasInit } = readLayer("gru", vars, inputs, units, options);
  const kernel = vars.create("kernel", [inputs, 3 * units], { init });
  const recurrentKernel = vars.create("recurrent_kernel", [units, 3 * units], { init });
  const bias = vars.create("bias", [3 * units], { init: biasInit });
  const recurrentBias = vars.create("recurrent_bias", [3 * units], { init: biasInit });
  const parts = [2 * units, units]; // r beside z, and n
  return (x, given) =>
    tidy(() => {
      const { shape } = readInput("gru", x, inputs);
      let h = readState("gru", "h", given, shape[0]!, units);
      const [xGates, xNew] = split(matmul(timeFirst(x), kernel.read(), { bias: bias.read() }), parts, 2) as [Tensor, Tensor];
      const [u, b, news] = [recurrentKernel.read(), recurrentBias.read(), split(xNew, shape[1]!)];
      const states = split(xGates, shape[1]!).map((gates, t) => {
        h = tidy(() => {
          const [hGates, hNew] = split(matmul(h, u, { bias: b }), parts, 2) as [Tensor, Tensor];
          const [r, z] = split(sigmoid(add(gates, hGates)), 2, 2) as [Tensor, Tensor];
          const n = tanh(add(news[t]!, mul(r, hNew)));
          return add(n, mul(z, sub(h, n))); // (1 − z)·n + z·h
        });
        return h;
      });
      return resultOf(returns, states, [h]);
    });
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997) with the formulas of PyTorch: x [batch, time, inputs] →
 * [batch, time, units].
 * x·kernel + h·recurrent_kernel + bias has four parts of `units` columns, in the order i, f, g, o of PyTorch:
 * the new c = σ(f)·c + σ(i)·tanh(g), and the new h = σ(o)·tanh(c). `bias` is the sum of the two biases of PyTorch.
 *
 * The second and the third input are the initial h and c, both [batch, units] (default zeros). The time must be at
 * least 1. Variables: `kernel` [inputs, 4·units], `recurrent_kernel` [units, 4·units], `bias` [4·units].
 * @param inputs - the features of x
 * @param units - the features of the state
 * @example
 * const layer = lstm(new DenseVariables(), 4, 8, { returns: "all" });
 * const [outputs, h, c] = layer(ones([2, 10, 4]));
 * console.log(outputs!.shape, h!.shape, c!.shape); //=> [ 2, 10, 8 ] [ 2, 8 ] [ 2, 8 ]
 */
export function lstm(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options?: RecurrentOptions<"outputs" | "last">,
): Layer<[x: Tensor, h?: Tensor, c?: Tensor]>;
export function lstm(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options: RecurrentOptions<"all">,
): Layer<[x: Tensor, h?: Tensor, c?: Tensor], readonly [outputs: Tensor, h: Tensor, c: Tensor]>;
export function lstm(
  vars: VariableCreator,
  inputs: number,
  units: number,
  options?: RecurrentOptions,
): Layer<[x: Tensor, h?: Tensor, c?: Tensor], Outputs> {
  const { returns, init, biasInit } = readLayer("lstm", vars, inputs, units, options);
  const kernel = vars.create("kernel", [inputs, 4 * units], { init });
  const recurrentKernel = vars.create("recurrent_kernel", [units, 4 * units], { init });
  const bias = vars.create("bias", [4 * units], { init: biasInit });
  return (x, givenH, givenC) =>
    tidy(() => {
      const { shape } = readInput("lstm", x, inputs);
      let h = readState("lstm", "h", givenH, shape[0]!, units);
      let c = readState("lstm", "c", givenC, shape[0]!, units);
      const u = recurrentKernel.read();
      const products = split(matmul(timeFirst(x), kernel.read(), { bias: bias.read() }), shape[1]!);
      const states = products.map((product) => {
        [h, c] = tidy(() => {
          const [i, f, g, o] = split(add(product, matmul(h, u)), 4, 2) as [Tensor, Tensor, Tensor, Tensor];
          const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
          return [mul(sigmoid(o), tanh(next)), next] as const;
        });
        return h;
      });
      return resultOf(returns, states, [h, c]);
    });
}

function readLayer(
  who: string,
  vars: VariableCreator,
  inputs: number,
  units: number,
  options: RecurrentOptions | undefined,
): Required<RecurrentOptions> {
  readCreator(who, "vars", vars);
  readCount(who, "inputs", inputs, 0);
  readCount(who, "units", units, 1);
  const {
    returns = "outputs",
    init = uniformInit(-1 / Math.sqrt(units), 1 / Math.sqrt(units)),
    biasInit = zerosInit,
  } = readOptions(who, options, ["returns", "init", "biasInit"]);
  readName(who, "returns", returns, ["outputs", "last", "all"]);
  readInitializer(who, "init", init);
  readInitializer(who, "biasInit", biasInit);
  return { returns, init, biasInit };
}

function readInput(who: string, x: Tensor, inputs: number): Tensor {
  const { shape } = readTensor(who, "x", x);
  if (shape.length === 3 && shape[1]! > 0 && shape[2] === inputs) return x;
  throw new ShapeError(who, `x ${show(shape)}: need [batch, time, ${inputs}] with a time of at least 1`);
}

// Inside, time comes first: x·kernel of one time is then a view, [1, batch, units], and so is its gradient.

/** [batch, time, n] → [time, batch, n], and back. */
const timeFirst = (x: Tensor): Tensor => transpose(x, [1, 0, 2]);

/** An initial state, [1, batch, units]. */
function readState(who: string, name: string, state: Tensor | undefined, batch: number, units: number): Tensor {
  if (state === undefined) return zeros([1, batch, units]);
  const { shape } = readTensor(who, name, state);
  if (shape.length === 2 && shape[0] === batch && shape[1] === units) return reshape(state, [1, batch, units]);
  throw new ShapeError(who, `${name} ${show(shape)}: need [batch, units], ${show([batch, units])}`);
}

function resultOf(returns: RecurrentReturns, states: readonly Tensor[], last: readonly Tensor[]): Outputs {
  const flat = (state: Tensor): Tensor => reshape(state, state.shape.slice(1));
  if (returns === "last") return flat(last[0]!);
  const outputs = timeFirst(concat(states));
  return returns === "outputs" ? outputs : [outputs, ...last.map(flat)];
}

import { type Numbers, reference } from "../../kernels/index.ts";

/** The functions of assembly/map.ts, in its order. */
const ops = [
  ..."abs absGrad addNumber chosenGrad clip clipGrad div divGradDivisor exp gelu geluGrad hardSwish hardSwishGrad".split(" "),
  ..."leakyRelu leakyReluGrad log maximum minimum reciprocal reciprocalGrad sigmoid sigmoidGrad sign silu siluGrad".split(" "),
  ..."softplus softplusGrad sqrt sqrtGrad square squareGrad sub tanh tanhGrad where whereGrad".split(" "),
];

/** y (+)= function `op` of arrays as long as y and of the numbers p and q. */
export type Map = (op: number, xs: readonly Numbers[], y: Numbers, accumulate?: boolean, p?: number, q?: number) => void;

type Simple =
  | "abs"
  | "exp"
  | "gelu"
  | "hardSwish"
  | "log"
  | "reciprocal"
  | "sigmoid"
  | "silu"
  | "softplus"
  | "sqrt"
  | "square"
  | "tanh";
type Pair = "maximum" | "minimum" | "sub";
type Other =
  | "addNumber"
  | "chosenGrad"
  | "clip"
  | "clipGrad"
  | "clipInPlace"
  | "div"
  | "divGradDivisor"
  | "leakyRelu"
  | "leakyReluGrad"
  | "sign"
  | "where"
  | "whereGrad";
/** The kernels of this file. */
export type Maps = Pick<typeof reference, Simple | `${Exclude<Simple, "exp" | "log">}Grad` | Pair | Other>;

/** The reference, looked up by name. */
const plain: typeof reference = { ...reference };
/** Below so many numbers the plain kernel is done before a call is. */
export const FEW: number = 256;

/** Kernels that go through arrays number by number. */
export function maps(map: Map): Maps {
  const op = (name: string): number => ops.indexOf(name);
  const of = (name: Simple | "sign"): typeof reference.exp => {
    const [few, fast] = [plain[name], op(name)];
    return (x, y) => (y.length < FEW ? few(x, y) : map(fast, [x], y));
  };
  /** A gradient by the function's input or, where it is simpler, its output. */
  const gradient = (name: Exclude<Simple, "exp" | "log">, byOutput = false): typeof reference.tanhGrad => {
    const [few, fast] = [plain[`${name}Grad`], op(`${name}Grad`)];
    return (x, y, dy, dx, accumulate) =>
      dx.length < FEW ? few(x, y, dy, dx, accumulate) : map(fast, [byOutput ? y : x, dy], dx, accumulate);
  };
  const ofTwo = (name: Pair): typeof reference.sub => {
    const [few, fast] = [plain[name], op(name)];
    return (a, b, y) => (y.length < FEW ? few(a, b, y) : map(fast, [a, b], y));
  };
  return {
    abs: of("abs"),
    absGrad: gradient("abs"),
    exp: of("exp"),
    gelu: of("gelu"),
    geluGrad: gradient("gelu"),
    hardSwish: of("hardSwish"),
    hardSwishGrad: gradient("hardSwish"),
    log: of("log"),
    reciprocal: of("reciprocal"),
    reciprocalGrad: gradient("reciprocal", true),
    sigmoid: of("sigmoid"),
    sigmoidGrad: gradient("sigmoid", true),
    sign: of("sign"),
    silu: of("silu"),
    siluGrad: gradient("silu"),
    softplus: of("softplus"),
    softplusGrad: gradient("softplus"),
    sqrt: of("sqrt"),
    sqrtGrad: gradient("sqrt", true),
    square: of("square"),
    squareGrad: gradient("square"),
    tanh: of("tanh"),
    tanhGrad: gradient("tanh", true),
    sub: ofTwo("sub"),
    maximum: ofTwo("maximum"),
    minimum: ofTwo("minimum"),
    div: (a, b, y, accumulate) => (y.length < FEW ? reference.div(a, b, y, accumulate) : map(op("div"), [a, b], y, accumulate)),
    divGradDivisor: (b, y, dy, db, accumulate) =>
      y.length < FEW ? reference.divGradDivisor(b, y, dy, db, accumulate) : map(op("divGradDivisor"), [b, y, dy], db, accumulate),
    chosenGrad: (a, b, y, dy, da, accumulate) =>
      y.length < FEW ? reference.chosenGrad(a, b, y, dy, da, accumulate) : map(op("chosenGrad"), [a, b, y, dy], da, accumulate),
    where: (condition, a, b, y) =>
      y.length < FEW ? reference.where(condition, a, b, y) : map(op("where"), [condition, a, b], y),
    whereGrad: (condition, chosen, dy, dx, accumulate) =>
      dy.length < FEW
        ? reference.whereGrad(condition, chosen, dy, dx, accumulate)
        : map(op("whereGrad"), [condition, dy], dx, accumulate, Number(chosen)),
    addNumber: (s, y, accumulate) =>
      y.length < FEW || !accumulate ? reference.addNumber(s, y, accumulate) : map(op("addNumber"), [], y, true, s),
    leakyRelu: (x, y, alpha) => (y.length < FEW ? reference.leakyRelu(x, y, alpha) : map(op("leakyRelu"), [x], y, false, alpha)),
    leakyReluGrad: (x, y, dy, dx, accumulate, alpha) =>
      dx.length < FEW
        ? reference.leakyReluGrad(x, y, dy, dx, accumulate, alpha)
        : map(op("leakyReluGrad"), [x, dy], dx, accumulate, alpha),
    clip: (x, y, low, high) => (y.length < FEW ? reference.clip(x, y, low, high) : map(op("clip"), [x], y, false, low, high)),
    clipGrad: (x, y, dy, dx, accumulate, low, high) =>
      dx.length < FEW
        ? reference.clipGrad(x, y, dy, dx, accumulate, low, high)
        : map(op("clipGrad"), [x, dy], dx, accumulate, low, high),
    clipInPlace: (x, low, high) =>
      x.length < FEW ? reference.clipInPlace(x, low, high) : map(op("clip"), [x], x, false, low, high),
  };
}

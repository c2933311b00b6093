import { alloc } from "../kernels/index.ts";
import {
  fresh,
  noGrad,
  readBoolean,
  readOptions,
  type Shape,
  sameShape,
  show,
  type Tensor,
  ValueError,
} from "../tensor/index.ts";
import type { Variable, VariableCreator } from "../variables/index.ts";
import { readCreator, type Source } from "./arguments.ts";
import { FormatError } from "./errors.ts";
import { replaceFile, withBytes } from "./files.ts";
import { decode, encode, encodePieces, type SavedTensors } from "./safetensors.ts";
import { libraryPositions, torchNames, torchShape } from "./torch-names.ts";

/** What `loadTorchWeights` did with each tensor. */
export type TorchReport = {
  /** Variables of the model that have new numbers. */
  readonly loaded: readonly string[];
  /** Variables of the model that the file lacks: unchanged. */
  readonly missing: readonly string[];
  /** Variables whose tensor has another shape in the file: unchanged. */
  readonly mismatched: readonly string[];
  /** Tensors of the file, by PyTorch's names, that no variable of the model takes. */
  readonly unused: readonly string[];
};

/** A variable with PyTorch's name and shape; the name is null if no family has the variable. */
type Named = { readonly variable: Variable; readonly name: string | null; readonly shape: Shape };

/** The variables of a model of `hashgrad/models` with PyTorch's names. A scope's prefix is no part of the names. */
function named(who: string, vars: VariableCreator): readonly Named[] {
  const { prefix = "" } = readCreator(who, "vars", vars);
  const variables = vars.variables();
  const own = ({ name }: Variable): string => name.slice(prefix.length);
  const names = torchNames(variables.map(own));
  if (names === null) {
    const some = variables.slice(0, 3).map(({ name }) => `"${name}"`);
    const given = some.length === 0 ? "there are none" : `got ${some.join(", ")}, …`;
    throw new ValueError(
      who,
      `vars must hold the variables of a model of hashgrad/models, ${given}; for other models see docs/guides/pytorch.md, "Copy trained weights"`,
    );
  }
  return variables.map((variable) => ({
    variable,
    name: names.get(own(variable)) ?? null,
    shape: torchShape(own(variable), variable.shape),
  }));
}

/**
 * Loads weights of PyTorch into a model of `hashgrad/models`. The file is a state dict that
 * `safetensors.torch.save_file` wrote. Reads torchvision's ResNet, MobileNetV2, MobileNetV3 and EfficientNet, and a
 * CIFAR ResNet with the names of torchvision's ResNet. Recognizes the family by the names of the variables. Turns
 * kernels [out, in, height, width] into [height, width, in, out] and matrices [out, in] into [in, out]. Ignores
 * `num_batches_tracked`. Reads float32, float16 and bfloat16.
 * @param source A path (in Node.js, Deno and Bun) or bytes.
 * @param vars The variables of a dense model, or a `scope` that holds one.
 * @returns The variables that were loaded, missing and mismatched, and the tensors of the file that are unused.
 * @throws FormatError if the file is malformed, if nothing fits, or (strict) if anything differs. The message names the
 * difference, and the model stays unchanged. FileError if the file cannot be read. ValueError if the model is of no
 * known family, or has its weights in a pool. Load into a dense model then, and fit the pool with `fitPool`.
 * @example
 * const vars = new DenseVariables();
 * cifarResNet(vars, 8);
 * console.log(loadTorchWeights(encodeTorchWeights(vars), vars).loaded[0]); //=> conv1/kernel
 */
export function loadTorchWeights(
  source: Source,
  vars: VariableCreator,
  options: {
    /** True (default) refuses the file if anything differs. False loads what fits, such as all layers but the last. */
    readonly strict?: boolean;
  } = {},
): TorchReport {
  const who = "loadTorchWeights";
  const wanted = named(who, vars);
  const { strict = true } = readOptions(who, options, ["strict"]);
  readBoolean(who, "strict", strict);
  const pooled = wanted.find(({ variable }) => variable.storage === "pool");
  if (pooled !== undefined) {
    const rule = "is a slice of a pool, which cannot take given weights";
    const remedy = "load into the same model with denseVars = new DenseVariables(), then call fitPool(vars, denseVars)";
    throw new ValueError(who, `"${pooled.variable.name}" ${rule}; ${remedy}`);
  }
  return withBytes(who, source, "weights", (bytes) => {
    const { pairs, report, difference } = compare(decode(bytes), wanted);
    const fits = pairs.length > 0;
    if (difference !== null && (strict || !fits)) {
      const [before, after] = fits
        ? ["", "; { strict: false } loads the tensors that fit"]
        : ["none of its tensors fits the model: ", ""];
      throw new FormatError(bytes.name, `${before}${difference}${after}`);
    }
    for (const { variable, values, shape } of pairs) variable.assign(fromTorch(values, variable.shape, shape));
    return report;
  });
}

type Pair = { readonly variable: Variable; readonly values: Tensor; readonly shape: Shape };

/**
 * Finds the tensor of each variable. `difference` is the first one between file and model, in words; null if there is
 * none.
 */
function compare(
  { tensors }: SavedTensors,
  wanted: readonly Named[],
): { readonly pairs: readonly Pair[]; readonly report: TorchReport; readonly difference: string | null } {
  const unused = new Set([...tensors.keys()].filter((name) => !name.endsWith(".num_batches_tracked")));
  const [loaded, missing, mismatched] = [[] as string[], [] as string[], [] as string[]];
  const pairs: Pair[] = [];
  let difference: string | null = null;
  for (const { variable, name, shape } of wanted) {
    const values = name === null ? undefined : tensors.get(name);
    if (name !== null) unused.delete(name);
    if (values === undefined) {
      missing.push(variable.name);
      difference ??=
        name === null ? `the model has "${variable.name}", which its family lacks` : `has no "${name}" for "${variable.name}"`;
    } else if (!sameShape(values.shape, shape)) {
      mismatched.push(variable.name);
      difference ??= `"${name}" has shape ${show(values.shape)}, "${variable.name}" ${show(variable.shape)} needs ${show(shape)}`;
    } else {
      loaded.push(variable.name);
      pairs.push({ variable, values, shape });
    }
  }
  const [more] = unused;
  if (more !== undefined) difference ??= `holds "${more}", which the model does not have`;
  return { pairs, report: { loaded, missing, mismatched, unused: [...unused] }, difference };
}

function fromTorch({ data }: Tensor, shape: Shape, theirs: Shape): Tensor {
  const [y, at] = [alloc(data.length), libraryPositions(theirs)];
  for (let i = 0; i < y.length; i++) y[at[i]!] = data[i]!;
  return fresh([...shape], y);
}

function toTorch({ data }: Tensor, theirs: Shape): Tensor {
  const [y, at] = [alloc(data.length), libraryPositions(theirs)];
  for (let i = 0; i < y.length; i++) y[i] = data[at[i]!]!;
  return fresh([...theirs], y);
}

function torchState(who: string, vars: VariableCreator): SavedTensors {
  const tensors = new Map<string, Tensor>();
  for (const { variable, name, shape } of named(who, vars)) {
    if (name === null) throw new ValueError(who, `"${variable.name}" has no name in PyTorch: the family lacks it`);
    tensors.set(
      name,
      noGrad(() => toTorch(variable.read(), shape)),
    );
  }
  return { tensors, metadata: { format: "pt" } };
}

/**
 * The weights of a model of `hashgrad/models` as the bytes of a safetensors file with the names and layouts of PyTorch,
 * float32. Writes the weights themselves, so a compressed model becomes a dense one. `load_state_dict` accepts the file
 * without `num_batches_tracked`.
 * @throws ValueError if the model is of no known family. MemoryError if the file does not fit into one array.
 * @example
 * const vars = new DenseVariables();
 * cifarResNet(vars, 8);
 * console.log(loadTorchWeights(encodeTorchWeights(vars), vars).missing); //=> []
 */
export function encodeTorchWeights(vars: VariableCreator): Uint8Array<ArrayBuffer> {
  return encode("encodeTorchWeights", torchState("encodeTorchWeights", vars));
}

/**
 * Writes `encodeTorchWeights(vars)` to a file, as `saveWeights` does. Needs Node.js, Deno or Bun.
 * @param path - the path of the file
 * @throws FileError if the file system refuses. ValueError if the model is of no known family.
 */
export function saveTorchWeights(path: string, vars: VariableCreator): void {
  replaceFile("saveTorchWeights", path, encodePieces("saveTorchWeights", torchState("saveTorchWeights", vars)));
}

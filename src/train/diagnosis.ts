import type { Dataset } from "../data/index.ts";
import {
  areFinite,
  assign,
  dependsOn,
  type Fault,
  firstFault,
  firstGradientFault,
  firstNonFinite,
  HashgradError,
  type Parameter,
  show,
  sizeOf,
  Tensor,
  type Watch,
} from "../tensor/index.ts";
import { TrainingError } from "./options.ts";

// What `train` and `evaluate` say when numbers are not finite. All of this runs after something went wrong.

/** A batch in which something is not finite. */
export type Incident = {
  readonly who: "train" | "evaluate";
  /** Such as "in epoch 1, batch 3". */
  readonly where: string;
  /** Labeled examples in memory: the message then shows the number as it was given. null for data of another kind. */
  readonly data: Dataset | null;
  /** The indices of the batch's examples in the dataset. */
  readonly indices: Int32Array;
  readonly inputs: Tensor | readonly Tensor[];
  readonly watch: Watch;
  /** Whether the model has been trained by earlier steps, so that the learning rate may be the cause. */
  readonly trained: boolean;
};

const REMEDY = "a smaller learning rate or clipByGlobalNorm may help";
const FIRST_REMEDY = "look for such numbers, log(0) and 0/0 in the data and the weights";

/** The error for a loss that is not finite. */
export function lossError(loss: Tensor, incident: Incident): TrainingError {
  const what = `the loss is ${loss.item()} ${incident.where}`;
  return new TrainingError(incident.who, `${what}: ${cause(incident, () => firstFault(loss, incident.watch))}`);
}

/** The error for gradients that are not finite; null if they are. */
export function gradientError(loss: Tensor, parameters: readonly Parameter[], incident: Incident): TrainingError | null {
  const broken = parameters.find(({ tensor }) => tensor.leaf?.filled && !areFinite(tensor.leaf.buffer!));
  if (broken === undefined) return null;
  const value = broken.tensor.leaf!.buffer![firstNonFinite(broken.tensor.leaf!.buffer!)]!;
  const what = `the gradient of "${broken.name}" holds ${value} ${incident.where}`;
  const why = cause(incident, () => firstGradientFault(loss, incident.watch), "gradient");
  return new TrainingError(incident.who, `${what}: ${why}; nothing was changed`);
}

/** The error for a variable that `assign` changed to numbers that are not finite; null if there is none. */
export function assignedError(incident: Incident): TrainingError | null {
  for (const tensor of incident.watch.assigned.keys()) {
    const error = variableError(tensor.name ?? "(no name)", tensor.data, `${incident.where}`);
    if (error === null) continue;
    const input = dataFault(incident);
    const largest = largestInput(incident);
    return new TrainingError(incident.who, `${error}: ${input ?? largest}; the statistics are as before the batch`);
  }
  return null;
}

/** What to say of a variable that is not finite; null if it is. */
export function variableError(name: string, numbers: ArrayLike<number>, where: string): string | null {
  const at = firstNonFinite(numbers);
  if (at < 0) return null;
  const layer = name.includes("/") ? ` of layer "${name.slice(0, name.lastIndexOf("/"))}"` : "";
  return `"${name}"${layer} is no longer finite ${where}: element ${at} is ${numbers[at]}`;
}

/** Gives variables that a failed step assigned their numbers from before. */
export function restoreAssigned({ assigned }: Watch): void {
  for (const [tensor, numbers] of assigned) assign(tensor, numbers);
}

function cause(incident: Incident, search: () => Fault | null, of: "result" | "gradient" = "result"): string {
  const input = dataFault(incident);
  if (input !== null) return input;
  const fault = attempt(search);
  const remedy = incident.trained ? REMEDY : FIRST_REMEDY;
  if (fault === null) return of === "gradient" ? `beforeUpdate changed it; ${remedy}` : remedy;
  const value = fault.numbers[firstNonFinite(fault.numbers)]!;
  if (fault.kind === "leaf") {
    const reader = `${fault.op}${layerText(fault)} reads`;
    const name = fault.tensor.name === null ? `a constant ${show(fault.tensor.shape)}` : `the variable "${fault.tensor.name}"`;
    return `${reader} ${name}, which holds ${value}; ${remedy}`;
  }
  const what = of === "gradient" ? "first op whose gradient is" : "first op whose result is";
  return `${fault.op}${layerText(fault)} is the ${what} not finite, it holds ${value}${exampleText(fault, incident)}; ${remedy}`;
}

function layerText({ layer, inLayer }: Fault): string {
  if (layer === null) return ", before the first layer,";
  return inLayer ? ` in layer "${layer}"` : ` after layer "${layer}"`;
}

/** What of a search for a diagnosis that cannot be made, such as for lack of memory: nothing. */
function attempt<T>(fn: () => T | null): T | null {
  try {
    return fn();
  } catch (error) {
    if (error instanceof HashgradError) return null;
    throw error;
  }
}

/** Which example of the dataset the first bad number belongs to, if the fault's first axis runs over examples. */
function exampleText({ tensor, numbers }: Fault, { indices, inputs, watch }: Incident): string {
  const [rows = 0] = tensor.shape;
  if (
    rows === 0 ||
    indices.length === 0 ||
    rows % indices.length !== 0 ||
    !listOf(inputs).some((x) => dependsOn(tensor, x, watch))
  )
    return "";
  const each = numbers.length / indices.length;
  const bad = Array.from(indices, (_, row) => firstNonFinite(numbers.subarray(row * each, (row + 1) * each)) >= 0);
  if (bad.length > 1 && bad.every((is) => is)) return ` in all ${bad.length} examples of the batch`;
  return ` in example ${indices[bad.indexOf(true)]} of the data`;
}

const listOf = (inputs: Tensor | readonly Tensor[]): readonly Tensor[] => (inputs instanceof Tensor ? [inputs] : inputs);

/** Where a number of a batch's input lies: the example, and the position inside the example. */
function placeOf(x: Tensor, at: number, indices: Int32Array): { example: number; offset: number; shape: readonly number[] } {
  const shape = x.shape.slice(1);
  const size = sizeOf(shape);
  return { example: indices[Math.floor(at / size)] ?? -1, offset: at % size, shape };
}

/** The first number of the batch's own inputs that is not finite; null if there is none. */
function dataFault({ data, indices, inputs }: Incident): string | null {
  for (const [i, x] of listOf(inputs).entries()) {
    const at = firstNonFinite(x.data);
    if (at < 0) continue;
    if (x.shape[0] !== indices.length) return `the data hold it: input ${i} of the batch holds ${x.data[at]} at ${at}`;
    const { example, offset, shape } = placeOf(x, at, indices);
    const which = inputs instanceof Tensor ? "input" : `input ${i}`;
    if (data === null) return `the data hold it: ${which} ${show(axesOf(offset, shape))} of example ${example} is ${x.data[at]}`;
    const position = example * sizeOf(data.inputShape) + offset;
    const given = data.inputs[position]!;
    const value = Number.isFinite(given) ? `${given}, which is ${x.data[at]} in float32` : `${given}`;
    return `the data hold it: input ${show(axesOf(offset, shape))} of example ${example} (inputs[${position}]) is ${value}`;
  }
  return null;
}

/** The input of the largest size, which is where to look when statistics overflow. */
function largestInput({ indices, inputs }: Incident): string {
  const x = listOf(inputs)[0];
  if (x === undefined || x.size === 0 || x.shape[0] !== indices.length) return REMEDY;
  const numbers = x.data;
  let at = 0;
  for (let i = 1; i < numbers.length; i++) if (Math.abs(numbers[i]!) > Math.abs(numbers[at]!)) at = i;
  return `the largest input of the batch is ${numbers[at]}, in example ${placeOf(x, at, indices).example} of the data`;
}

/** The position along each axis of a number in row-major order. */
function axesOf(offset: number, shape: readonly number[]): number[] {
  const position: number[] = [];
  let rest = offset;
  for (const length of [...shape].reverse()) {
    position.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return position;
}

import { backend } from "../backends/index.ts";
import { type Column, type Data, lengthOf } from "../data/index.ts";
import { Tensor, ValueError } from "../tensor/index.ts";
import { stateOf, type VariableCreator } from "../variables/index.ts";
import type { Tensors } from "./shards.ts";
import { VERSION } from "./version.ts";

// What coordinator and worker must have in common, so that a shard has the same bits on every machine.

/** The names and shapes of tensors. */
type Described = readonly (readonly [name: string, shape: readonly number[]])[];

/** Library, kernels, model and data of a process. */
export type Identity = {
  readonly version: string;
  /** The backend, and whether multiply-add rounds once. */
  readonly kernels: string;
  /** The parameters of the optimizer, in its order. A worker takes the order of the coordinator. */
  readonly trained: Described;
  readonly others: Described;
  /** A digest of kind, options, modifiers and placements of the pools. */
  readonly pools: string;
  /** A digest of the data, or the text that the option `digest` gave. */
  readonly data: string;
};

const sha256 = (): ReturnType<ReturnType<typeof process.getBuiltinModule<"node:crypto">>["createHash"]> =>
  process.getBuiltinModule("node:crypto").createHash("sha256");

/** The identity of this process. `data` is the text of `describeData`. */
export function identityOf(vars: VariableCreator, tensors: Tensors, data: string): Identity {
  const { name, fused } = backend();
  return {
    version: VERSION,
    kernels: fused ? `${name} with fused multiply-add` : name,
    trained: tensors.trained.map(({ name, tensor }) => [name, tensor.shape]),
    others: tensors.others.map(([name, tensor]) => [name, tensor.shape]),
    pools: digestOf([JSON.stringify(stateOf(vars).pools, plain)]),
    data,
  };
}

/** Maps become lists, so that JSON holds them. */
const plain = (_: string, value: unknown): unknown => (value instanceof Map ? [...value] : value);

/** A digest of an identity, which messages carry: 32 bytes. */
export const identityDigest = (identity: Identity): Uint8Array => sha256().update(JSON.stringify(identity)).digest();

function digestOf(parts: readonly (string | ArrayBufferView)[]): string {
  const hash = sha256();
  for (const part of parts) {
    if (typeof part === "string") {
      hash.update(`${part.length} ${part}`);
      continue;
    }
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    // Copies in pieces, because the array may lie in shared memory.
    for (let i = 0; i < bytes.length; i += 2 ** 20) hash.update(bytes.slice(i, i + 2 ** 20));
  }
  return hash.digest("hex");
}

/** The number of examples, and the text of the option `digest` or a digest of the data. Reads all data in memory. */
export const describeData = (who: string, data: Data, digest: string | undefined): string =>
  `${lengthOf(data)} examples, ${digest ?? dataDigest(who, data)}`;

/** A digest of data in memory: of their form, types, sizes and bytes. */
function dataDigest(who: string, data: Data): string {
  if ("labels" in data) {
    const { inputs, labels, inputShape, classes, scale } = data;
    return digestOf([JSON.stringify(["labels", inputShape, classes, scale ?? null]), ...columnParts(inputs), labels]);
  }
  if (!("inputs" in data))
    throw new ValueError(who, "the data are a source: give digest, a text that identifies the data in all processes");
  const columns = [data.inputs, data.targets].map((side) => (Array.isArray(side) ? side : [side]) as readonly Column[]);
  return digestOf(["columns", ...columns.flatMap((side) => [`${side.length}`, ...side.flatMap(columnParts)])]);
}

const columnParts = (column: Column): (string | ArrayBufferView)[] =>
  column instanceof Tensor
    ? [JSON.stringify(["tensor", column.shape]), column.data]
    : [`${Object.prototype.toString.call(column)} ${column.length}`, column];

/** What two processes do not have in common; null if they have all in common. */
export function differenceOf(own: Identity, other: Identity): string | null {
  const differ = (what: string, a: string, b: string): string => `${what} ${a} in the coordinator, ${b} in the worker`;
  if (own.version !== other.version) return differ("another version of hashgrad:", own.version, other.version);
  const model = tensorDifference(own.trained, other.trained) ?? tensorDifference(own.others, other.others);
  if (model !== null) return `another model: ${model}`;
  if (own.pools !== other.pools) return "another model: kind, options, modifiers or placements of the pools differ";
  if (own.data !== other.data) return differ("other data:", own.data, other.data);
  if (own.kernels !== other.kernels)
    return `${differ("other kernels:", own.kernels, other.kernels)}; HASHGRAD_FMA=off makes machines with and without fused multiply-add equal`;
  return null;
}

function tensorDifference(own: Described, other: Described): string | null {
  const [mine, theirs] = [own, other].map((list) => new Map(list.map(([name, shape]) => [name, JSON.stringify(shape)])));
  for (const [name, shape] of mine!) {
    if (!theirs!.has(name)) return `the worker has no "${name}" ${shape}`;
    if (theirs!.get(name) !== shape) return `"${name}" is ${shape} in the coordinator, ${theirs!.get(name)} in the worker`;
  }
  const surplus = [...theirs!.keys()].find((name) => !mine!.has(name));
  return surplus === undefined ? null : `the coordinator has no "${surplus}"`;
}

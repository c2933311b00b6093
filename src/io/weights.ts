import { assign, Generator, noGrad, sameShape, show, type Tensor } from "../tensor/index.ts";
import { type Pooled, weightsOf } from "../variables/index.ts";
import { readSaved, replaceFile, type Source } from "./files.ts";
import { encodeSafetensors, FormatError, type SavedTensors } from "./safetensors.ts";

/** A creator whose variables lie in a pool says where (a VariableFactory does). */
export type Placed = Pooled & { readonly placements?: () => ReadonlyMap<string, unknown> };

/** The mean |weight|, and Σᵢ rᵢ·weightᵢ / √n with the same random rᵢ for everyone. */
type Fingerprint = readonly [size: number, projection: number];

function fingerprint({ data }: Tensor): Fingerprint {
  const random = new Generator(1);
  let [size, projection] = [0, 0];
  for (const weight of data) {
    size += Math.abs(weight);
    projection += (2 * random.uniform() - 1) * weight;
  }
  return [size / Math.max(1, data.length), projection / Math.sqrt(Math.max(1, data.length))];
}

/**
 * Of each variable that comes from a pool. Pool and modifier make weights of numbers in ways that no name or shape shows; where they
 * differ, in size, sign or order, so do these. A variable whose weights are not finite, or drawn anew by its modifier each time, has none.
 */
function fingerprints(vars: Placed): Record<string, Fingerprint> {
  const pooled = vars.variables().filter(({ home }) => home === "pool");
  const twice = noGrad(() => pooled.map((v) => [v.name, fingerprint(v.read()), fingerprint(v.read())] as const));
  const lasting = twice.filter(([, first, second]) => first.every((n, i) => Number.isFinite(n) && n === second[i]));
  return Object.fromEntries(lasting.map(([name, print]) => [name, print]));
}

/** What the names of a checkpoint's other tensors begin with: the optimizer's state. */
export const OPTIMIZER = "optimizer/";

/** What makes a model what it is, as tensors and strings of a file. */
export function savedWeights(vars: Placed): SavedTensors {
  const places = JSON.stringify(Object.fromEntries(vars.placements?.() ?? []));
  const prints = JSON.stringify(fingerprints(vars));
  return { tensors: weightsOf(vars), metadata: { format: "hashgrad 1", placements: places, fingerprints: prints } };
}

/**
 * What makes a model what it is, by name, as the bytes of a safetensors file: parameters, running statistics and, for a compressed model,
 * the pool's factors and where in the pool each variable lies. Reads the weights, twice: a modifier that draws does so.
 */
export function encodeWeights(vars: Placed): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(savedWeights(vars));
}

/**
 * Writes `encodeWeights(vars)` to a file: beside, as `<path>.<process>.tmp`, then renamed, never half a file. Where the path is a link, what
 * it leads to is replaced. In Node only.
 *
 * @throws FormatError where the path is there and no file, such as a folder or a device, or a link that leads nowhere.
 */
export function saveWeights(path: string, vars: Placed): void {
  replaceFile(path, encodeWeights(vars));
}

/**
 * Reads what `saveWeights` wrote, or the model of a checkpoint, into a model that was built the same way: from a path (in Node) or bytes.
 * Everything is compared, and where anything differs nothing is changed: names, shapes, where in the pool each variable lies (it follows
 * from the order of creation), and the weights that pool and modifier make (to four digits of two sums over them).
 *
 * @throws FormatError where the file and the model differ; it says in what.
 */
export function loadWeights(source: Source, vars: Placed): void {
  const { name, saved } = readSaved(source, "weights");
  assignWeights(name, saved, vars);
}

/** The numbers of a file in the place of a model's: all of them, or, where anything differs, none. Returns what takes them back. */
export function assignWeights(path: string, { tensors, metadata }: SavedTensors, vars: Placed): () => void {
  const own = weightsOf(vars);
  for (const [name, target] of own) {
    const saved = tensors.get(name);
    if (saved === undefined) throw new FormatError(path, `has no "${name}"; it was saved from another model`);
    if (!sameShape(saved.shape, target.shape)) {
      throw new FormatError(path, `"${name}" has shape ${show(saved.shape)}, the model's has ${show(target.shape)}`);
    }
  }
  const others = [...tensors.keys()].filter((name) => !own.has(name));
  const surplus = others.find((name) => !(metadata.training !== undefined && name.startsWith(OPTIMIZER)));
  if (surplus !== undefined)
    throw new FormatError(path, `holds "${surplus}", which the model does not have; it was saved from another model`);
  const places = recordIn(metadata.placements, "where variables lie in the pool", path);
  const elsewhere = firstElsewhere(places, Object.fromEntries(vars.placements?.() ?? []));
  if (elsewhere !== null) {
    throw new FormatError(
      path,
      `its variables lie elsewhere in the pool: create them in the order of the model that was saved (first difference: "${elsewhere}")`,
    );
  }
  const prints = recordIn(metadata.fingerprints, "the weights' fingerprints", path);
  const before = new Map([...own].map(([name, target]) => [name, target.toArray()]));
  const takeBack = (): void => {
    for (const [name, target] of own) assign(target, before.get(name)!);
  };
  try {
    for (const [name, target] of own) assign(target, tensors.get(name) as Tensor);
    const different = firstOther(prints, fingerprints(vars));
    if (different === null) return takeBack;
    throw new FormatError(
      path,
      `the weights of "${different}" would be others than were saved: the model's pool or modifier is another`,
    );
  } catch (error) {
    takeBack();
    throw error;
  }
}

/** The first variable whose weights are others, by more than rounding. */
function firstOther(saved: Record<string, unknown>, own: Readonly<Record<string, Fingerprint>>): string | null {
  const other = ([name, numbers]: [string, unknown]): boolean => {
    const [was, is] = [Array.isArray(numbers) ? numbers : [], own[name]];
    return is === undefined || is.some((v, i) => !(Math.abs(Number(was[i]) - v) <= 1e-4 * is[0]));
  };
  return Object.entries(saved).find(other)?.[0] ?? null;
}

/** The first variable that lies elsewhere in one of two records of places; null where there is none. */
function firstElsewhere(a: Record<string, unknown>, b: Record<string, unknown>): string | null {
  const names = [...Object.keys(a), ...Object.keys(b)];
  return names.find((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name])) ?? null;
}

/** One of the file's records by name, written as JSON; empty where it is left out. */
function recordIn(text = "{}", what: string, path: string): Record<string, unknown> {
  try {
    const record: unknown = JSON.parse(text);
    if (typeof record === "object" && record !== null) return { ...record };
  } catch {
    // falls through to the one error below
  }
  throw new FormatError(path, `its record of ${what} is not readable; it was saved by something else`);
}

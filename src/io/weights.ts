import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { assign, sameShape, show, type Tensor } from "../tensor/index.ts";
import { type VariableCreator, weightsOf } from "../variables/index.ts";
import { decodeSafetensors, encodeSafetensors, FormatError } from "./safetensors.ts";

/** A creator whose variables lie in a pool says where (a VariableFactory does). */
type Placed = VariableCreator & { readonly placements?: () => ReadonlyMap<string, unknown> };

const placementsOf = (vars: Placed): string => JSON.stringify(Object.fromEntries(vars.placements?.() ?? []));

/**
 * Writes what makes a model what it is, by name, to a safetensors file: parameters, running statistics and, for a compressed model, the
 * pool's factors and where in the pool each variable lies. Written beside and renamed: never half a file.
 */
export function saveWeights(path: string, vars: Placed): void {
  const bytes = encodeSafetensors({
    tensors: weightsOf(vars),
    metadata: { format: "hashgrad 1", placements: placementsOf(vars) },
  });
  const beside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, bytes);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/**
 * Reads what `saveWeights` wrote into a model that was built the same way. Everything is compared before anything is changed: names,
 * shapes, and where in the pool each variable lies (it follows from the order of creation).
 *
 * @throws FormatError where the file and the model differ; it says in what.
 */
export function loadWeights(path: string, vars: Placed): void {
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), path);
  const own = weightsOf(vars);
  for (const [name, target] of own) {
    const saved = tensors.get(name);
    if (saved === undefined) throw new FormatError(path, `has no "${name}"; it was saved from another model`);
    if (!sameShape(saved.shape, target.shape)) {
      throw new FormatError(path, `"${name}" has shape ${show(saved.shape)}, the model's has ${show(target.shape)}`);
    }
  }
  const surplus = [...tensors.keys()].find((name) => !own.has(name));
  if (surplus !== undefined)
    throw new FormatError(path, `holds "${surplus}", which the model does not have; it was saved from another model`);
  const saved = metadata.placements ?? "{}";
  if (saved !== placementsOf(vars)) {
    throw new FormatError(
      path,
      `its variables lie elsewhere in the pool: create them in the order of the model that was saved (${differing(saved, placementsOf(vars))})`,
    );
  }
  for (const [name, target] of own) assign(target, tensors.get(name) as Tensor);
}

/** The first variable whose place in the pool differs. */
function differing(saved: string, own: string): string {
  const [a, b] = [saved, own].map((text) => JSON.parse(text) as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  const name = [...Object.keys(a), ...Object.keys(b)].find((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  return name === undefined ? "same places, other order" : `first difference: "${name}"`;
}

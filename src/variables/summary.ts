import { describe, full, readFunction, show, sizeOf, type Tensor, ValueError } from "../tensor/index.ts";
import { checkRequest, sameVariable } from "./dense.ts";
import { stateOf } from "./state.ts";
import { type Model, readCreator, type Variable, type VariableCreator } from "./variable.ts";

/** A variable as a table lists it. */
export type VariableRow = Pick<Variable, "name" | "shape" | "trainable" | "storage"> & { readonly size: number };

/**
 * Returns the variables of a model. Builds the model once, without allocating variables.
 * @param model - the model as a function of a variable creator
 * @example
 * const rows = survey((vars) => dense(vars, 3, 2));
 * console.log(rows.map(({ name, size }) => `${name} ${size}`)); //=> [ 'kernel 6', 'bias 2' ]
 */
export function survey(model: Model): VariableRow[] {
  readFunction("survey", "model", model);
  const found = new Map<string, Variable>();
  const read = (): Tensor => full([], Number.NaN);
  model({
    create: (name, shape, options) => {
      checkRequest(name, shape, options);
      const existing = found.get(name);
      if (existing !== undefined) return sameVariable(existing, shape, options);
      const made: Variable = {
        name,
        shape: [...shape],
        trainable: options?.trainable ?? true,
        storage: "dense",
        read,
        assign: () => undefined,
      };
      found.set(name, made);
      return made;
    },
    variables: () => [...found.values()],
    parameters: () => [],
  });
  return rowsOf([...found.values()]);
}

export function rowsOf(variables: readonly Variable[]): VariableRow[] {
  return variables.map(({ name, shape, trainable, storage }) => ({ name, shape, trainable, storage, size: sizeOf(shape) }));
}

/** The count of dense weights, the count of trained numbers, and their quotient. */
export type Sizes = { readonly denseSize: number; readonly trainedSize: number; readonly achievedFraction: number };

/**
 * Returns the sizes of a model. `trainedSize` includes learned scales and variables outside the pool.
 * @param vars - the creator of the model
 * @example
 * const vars = new DenseVariables();
 * dense(vars, 3, 2);
 * console.log(sizesOf(vars)); //=> { denseSize: 8, trainedSize: 8, achievedFraction: 1 }
 */
export function sizesOf(vars: Pick<VariableCreator, "variables" | "parameters">): Sizes {
  const creator =
    typeof vars === "object" && vars !== null && [vars.variables, vars.parameters].every((f) => typeof f === "function");
  if (!creator) throw new ValueError("sizesOf", `vars must be a creator of variables, got ${describe(vars)}`);
  const total = (sizes: readonly number[]): number => sizes.reduce((sum, n) => sum + n, 0);
  const denseSize = total(vars.variables().map((v) => (v.trainable ? sizeOf(v.shape) : 0)));
  const trainedSize = total(vars.parameters().map((p) => p.tensor.size));
  return { denseSize, trainedSize, achievedFraction: denseSize === 0 ? 1 : trainedSize / denseSize };
}

/** The sizes of one pool: trained numbers, virtual weights, and used virtual weights. */
export type PoolReport = { readonly kind: string; readonly coreSize: number; readonly poolSize: number; readonly used: number };

/**
 * The sizes of a compressed model. `coreSize` counts the numbers of all pools; `trainedSize` also counts learned scales
 * and variables outside the pools. `warnings` are sentences: the fraction is above 1, or little of a pool is used.
 */
export type CompressionReport = Sizes & {
  readonly coreSize: number;
  readonly pools: readonly PoolReport[];
  readonly warnings: readonly string[];
};

/** The report of any creator; `VariableFactory.report()` is its own. */
export function reportOf(vars: Pick<VariableCreator, "variables" | "parameters" | "state">): CompressionReport {
  const sizes = sizesOf(vars);
  const { weights, pools } = vars.state?.() ?? { weights: new Map<string, Tensor>(), pools: [] };
  const found = pools.map(({ core, description, poolSize, used }): PoolReport => {
    const coreSize = core.reduce((sum, name) => sum + (weights.get(name)?.size ?? 0), 0);
    return { kind: description.kind, coreSize, poolSize, used };
  });
  const coreSize = found.reduce((sum, pool) => sum + pool.coreSize, 0);
  return { ...sizes, coreSize, pools: found, warnings: warningsOf(sizes, found) };
}

/** A pool of which less than this share is used was probably made for another model. */
const LITTLE_USED = 0.5;

function warningsOf({ achievedFraction, trainedSize, denseSize }: Sizes, pools: readonly PoolReport[]): string[] {
  const warnings: string[] = [];
  if (pools.length > 0 && achievedFraction > 1)
    warnings.push(
      `achieved fraction ${achievedFraction.toFixed(3)} is above 1: the model trains ${count(trainedSize)} numbers, more than its ${count(denseSize)} weights; ask for a smaller fraction`,
    );
  for (const { kind, used, poolSize } of pools) {
    if (used < LITTLE_USED * poolSize)
      warnings.push(
        `the model uses ${count(used)} of the ${count(poolSize)} weights of the ${kind} pool: make it with poolSize: poolSizeFor(model)`,
      );
  }
  return warnings;
}

const count = (n: number): string => n.toLocaleString("en");

/**
 * Returns a table of the variables: layer, name, shape, weights, and storage (dense or pool). Below the table: the
 * number of dense weights, the number of trained numbers, the achieved fraction, each pool, and warnings.
 * @param vars - the creator of a model, or the model as a function of a creator
 */
export function summary(vars: VariableCreator | Model): string {
  const rows = typeof vars === "function" ? survey(vars) : rowsOf(readCreator("summary", "vars", vars).variables());
  const lines = rows.map(({ name, shape, size, storage, trainable }) => {
    const slash = name.lastIndexOf("/");
    const lives = trainable ? storage : `${storage}, not trained`;
    return [slash < 0 ? "" : name.slice(0, slash), name.slice(slash + 1), show(shape), size.toLocaleString("en"), lives];
  });
  const total = rows.reduce((sum, row) => sum + (row.trainable ? row.size : 0), 0);
  const listed = table(
    ["layer", "variable", "shape", "weights", "storage"],
    [...lines, ["total", "", "", total.toLocaleString("en"), ""]],
  );
  return typeof vars === "function" ? listed : [listed, ...compressionLines(vars)].join("\n");
}

/** What `summary` says of the pools of a model, a line each; nothing for a dense model. */
function compressionLines(vars: VariableCreator): string[] {
  const state = stateOf(vars);
  if (state.pools.length === 0) return [];
  const report = reportOf({ variables: () => vars.variables(), parameters: () => vars.parameters(), state: () => state });
  const { pools, warnings, denseSize, trainedSize, achievedFraction } = report;
  return [
    "",
    `${count(denseSize)} weights from ${count(trainedSize)} trained numbers: achieved fraction ${achievedFraction.toFixed(3)}`,
    ...pools.map(
      (p) => `${p.kind} pool: ${count(p.coreSize)} numbers make ${count(p.poolSize)} weights, ${count(p.used)} are used`,
    ),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}

/** Text in columns as wide as their widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i]!.length), title.length));
  const numeric = head.map((_, i) => rows.every((row) => /^[-\d.,%×]*$/.test(row[i]!)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n");
}

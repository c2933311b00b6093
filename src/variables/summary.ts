import { describe, full, readFunction, show, sizeOf, type Tensor, ValueError } from "../tensor/index.ts";
import { checkRequest, sameVariable } from "./dense.ts";
import { type Model, readCreator, type Variable, type VariableCreator } from "./variable.ts";

/** A variable as a table lists it. */
export type VariableRow = Pick<Variable, "name" | "shape" | "trainable" | "home"> & { readonly size: number };

/** The variables a model asks for, found by building it without allocating any of them. */
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
        home: "own",
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
  return variables.map(({ name, shape, trainable, home }) => ({ name, shape, trainable, home, size: sizeOf(shape) }));
}

/** How many numbers a model would train uncompressed, how many it does train, and the quotient. */
export type Sizes = { readonly denseSize: number; readonly trainedSize: number; readonly achievedFraction: number };

/** Counted from what was created: learned scales and variables left out of the pool are included in `trainedSize`. */
export function sizesOf(vars: Pick<VariableCreator, "variables" | "parameters">): Sizes {
  const creator =
    typeof vars === "object" && vars !== null && [vars.variables, vars.parameters].every((f) => typeof f === "function");
  if (!creator) throw new ValueError("sizesOf", `vars must be a creator of variables, got ${describe(vars)}`);
  const total = (sizes: readonly number[]): number => sizes.reduce((sum, n) => sum + n, 0);
  const denseSize = total(vars.variables().map((v) => (v.trainable ? sizeOf(v.shape) : 0)));
  const trainedSize = total(vars.parameters().map((p) => p.tensor.size));
  return { denseSize, trainedSize, achievedFraction: denseSize === 0 ? 1 : trainedSize / denseSize };
}

/** A table of the variables: layer, name, shape, weights, and where each lives, with a total below. */
export function summary(vars: VariableCreator | Model): string {
  const rows = typeof vars === "function" ? survey(vars) : rowsOf(readCreator("summary", "vars", vars).variables());
  const lines = rows.map(({ name, shape, size, home, trainable }) => {
    const slash = name.lastIndexOf("/");
    const lives = trainable ? home : `${home}, not trained`;
    return [slash < 0 ? "" : name.slice(0, slash), name.slice(slash + 1), show(shape), size.toLocaleString("en"), lives];
  });
  const total = rows.reduce((sum, row) => sum + (row.trainable ? row.size : 0), 0);
  return table(
    ["layer", "variable", "shape", "weights", "lives in"],
    [...lines, ["total", "", "", total.toLocaleString("en"), ""]],
  );
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

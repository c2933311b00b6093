// Parts of the API reference that docstrings leave out: imports of examples, and descriptions that many parameters
// share.

/**
 * The import lines of an example. Names are looked up in the entry point `entry` first, then in the others in their
 * order.
 */
export function importsOf(code: string, entry: string, values: ReadonlyMap<string, ReadonlySet<string>>): string {
  const used = new Set(code.replaceAll(/"[^"]*"|\/\/.*/g, "").match(/(?<!\w|(?<!\.)\.)[A-Za-z]\w*(?![\w:])/g));
  const declared = new Set(
    [...code.matchAll(/\b(?:const|let) ([[{][^=]*|\w+) =/g)].flatMap(([, names = ""]) => names.match(/\w+/g) ?? []),
  );
  const order = [entry, ...[...values.keys()].filter((other) => other !== entry)];
  const lines = new Map<string, string[]>();
  for (const name of [...used].filter((name) => !declared.has(name)).sort()) {
    const from = order.find((other) => values.get(other)?.has(name));
    if (from !== undefined) lines.set(from, [...(lines.get(from) ?? []), name]);
  }
  return [...lines].map(([from, names]) => `import { ${names.join(", ")} } from "${from}";`).join("\n");
}

/**
 * The description of a parameter whose docstring has none; undefined if the docstring must describe it. `summary` is
 * the description of the function.
 */
export function sharedDescription(name: string, type: string, summary: string): string | undefined {
  if (name === "options" || name === "given") return "Optional settings; their type describes each setting and its default.";
  if (name === "vars" && type === "VariableCreator") return "Creates the variables. Give each layer its own `scope`.";
  if (!/elementwise/.test(summary)) return undefined;
  if (name === "x") return "A tensor of any shape.";
  return name === "a" || name === "b" ? "A tensor or a number. The shapes broadcast." : undefined;
}

import { spawnSync } from "node:child_process";

/** A Python that can import these modules; null if there is none. */
export function pythonWith(...modules: readonly string[]): string | null {
  const works = (python: string): boolean => spawnSync(python, ["-c", `import ${modules.join(", ")}`]).status === 0;
  return ["python3", "/usr/bin/python3"].find(works) ?? null;
}

/** What a Python program prints. @throws Error with its messages if it fails. */
export function runPython(python: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(python, args, { input, encoding: "utf8", maxBuffer: 1e9 });
  if (status !== 0) throw new Error(`${python} ${args.join(" ")}: ${error ?? stderr}`);
  return stdout;
}

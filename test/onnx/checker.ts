import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The first Python that has the package `onnx`; undefined if there is none. */
export const python: string | undefined = ["python3", "/usr/bin/python3"].find((name) => {
  try {
    execFileSync(name, ["-c", "import onnx"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

const program = `
import onnx, sys
for name in sys.argv[1:]:
    onnx.checker.check_model(onnx.load(name), full_check=True)
    print(name)
`;

/** The number of files that the checker of the ONNX project accepts. Throws if it refuses one. */
export function accepted(files: readonly Uint8Array[]): number {
  const folder = mkdtempSync(join(tmpdir(), "onnx-"));
  try {
    const paths = files.map((_, i) => join(folder, `${i}.onnx`));
    for (const [i, path] of paths.entries()) writeFileSync(path, files[i]!);
    return execFileSync(python!, ["-c", program, ...paths], { encoding: "utf8" })
      .trim()
      .split("\n").length;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

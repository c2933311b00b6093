import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

// docs/add-an-op.md, followed step by step in a copy of the repository: each block of code is there, and adds an op of
// another name.

const root = fileURLToPath(new URL("../", import.meta.url));
const page = readFileSync(join(root, "docs/add-an-op.md"), "utf8");

/** The steps of the page: the file that a heading names, and each block of code below the heading. */
const steps = page.split(/^## /m).flatMap((section) => {
  const file = /^\d\. .*: (\S+)\n/.exec(section)?.[1];
  if (file === undefined) return [];
  return [...section.matchAll(/^```typescript\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => ({ file, code }));
});
const renamed = (code: string): string => code.replaceAll("ardSigmoid", "ardSigmoidAgain");

test("the page about adding an op quotes the six files exactly", () => {
  expect(new Set(steps.map(({ file }) => file)).size).toBe(6);
  expect(steps.length).toBe(6);
  for (const { file, code } of steps) expect(readFileSync(join(root, file), "utf8")).toContain(code);
});

let copy = "";
/** What a program prints. Throws with that text if the program fails. */
function run(...args: string[]): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", env });
  if (status !== 0) throw new Error(`${args.join(" ")} ends with ${status}: ${stdout}${stderr}`);
  return stdout;
}

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "add-an-op-"));
  const names = ["src", "test", "bench", "docs", "package.json", "tsconfig.json", "vitest.config.ts"];
  const isSource = (path: string): boolean => !/node_modules|\.snippets/.test(relative(root, path));
  for (const name of names) cpSync(join(root, name), join(copy, name), { recursive: true, filter: isSource });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test("the page's steps add an op that compiles, runs in WebAssembly and has a correct gradient", () => {
  for (const { file, code } of steps) {
    const path = join(copy, file);
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace(code, () => code + renamed(code)),
    );
  }
  run("--import", "tsx", "src/backends/wasm/build.ts");
  appendFileSync(
    join(copy, "test/ops/unary.test.ts"),
    `
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
test("hardSigmoidAgain is in WebAssembly", () => {
  expect(Object.keys(wasmBackend().kernels)).toEqual(expect.arrayContaining(["hardSigmoidAgain", "hardSigmoidAgainGrad"]));
});
`,
  );
  const tests = ["test/kernels/kernels.test.ts", "test/ops/unary.test.ts", "test/ops/laws.test.ts", "test/ops/errors.test.ts"];
  const names = "hardSigmoidAgain|every public op";
  const report = run(
    "node_modules/vitest/vitest.mjs",
    "run",
    "--project",
    "default",
    "--reporter",
    "verbose",
    ...tests,
    "-t",
    names,
  );
  expect(report.match(/✓.*hardSigmoidAgain/g)?.length).toBeGreaterThan(8);
  run("node_modules/typescript/bin/tsc", "--noEmit");
}, 300_000);

// `npm run test:programs`: packs the library, then type-checks and runs each file of test/programs in an empty project
// of its own that has nothing but the tarball. The programs are written as a new user would, from README, docs and
// types. Names (`-- gpt`) select.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { installPacked, npm, root, runChild } from "./packed.ts";

/** Longest run of one program, or of its type check. */
const LIMIT = 120_000;

const compilerOptions = {
  target: "es2022",
  lib: ["es2023"],
  module: "nodenext",
  strict: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
};

const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
const wanted = process.argv.slice(2);
const names = readdirSync(join(root, "test/programs"))
  .map((file) => basename(file, ".ts"))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
const projects = mkdtempSync(join(tmpdir(), "hashgrad-programs-"));
const packed = installPacked();
let failed = 0;

/** Installs the tarball in a new project, checks the program's types and runs it. */
async function check(name: string): Promise<void> {
  const [folder, file] = [join(projects, name), `${name}.ts`];
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  writeFileSync(join(folder, file), readFileSync(join(root, "test/programs", file)));
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--offline", "--silent", packed.tarball], folder);
  const types = await runChild(process.execPath, [tsc, "-p", folder], { cwd: folder, timeout: LIMIT });
  const run = await runChild(process.execPath, ["--import", import.meta.resolve("tsx"), file], { cwd: folder, timeout: LIMIT });
  const passed = types.code === 0 && run.code === 0;
  if (!passed) failed++;
  console.log(`== ${name}: ${passed ? "passed" : "FAILED"}, ${run.seconds.toFixed(1)} seconds`);
  console.log((types.stdout + types.stderr + run.stdout + run.stderr).trim());
}

try {
  for (const name of names) await check(name);
  console.log(`programs: ${names.length - failed} passed, ${failed} failed`);
  if (failed > 0 || names.length === 0) process.exitCode = 1;
} finally {
  packed.remove();
  rmSync(projects, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

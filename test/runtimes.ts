// `npm run test:runtimes`: packs the library and trains, saves, loads and evaluates with the tarball on every JavaScript runtime that is
// found. NODE22, NODE24, BUN and DENO name their programs; `-- --install` installs those that are missing from npm, in a temporary folder.
// All runs must end by themselves and, for equal `fused`, give the same weights.
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { installPacked, npm, runChild } from "./packed.ts";

/** What the program prints. */
type Report = {
  readonly backend: { readonly name: string; readonly fused: boolean; readonly threads: number; readonly reason: string };
  readonly digest: string;
  readonly accuracy: number;
};

/** Longest run of one program. */
const LIMIT = 60_000;

const program = `
import { mkdtempSync, rmSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backend, Generator, relu, scope } from "hashgrad";
import { syntheticDigits } from "hashgrad/data";
import { encodeWeights, loadWeights, saveWeights } from "hashgrad/io";
import { batchNorm, conv2d, dense, globalAvgPool2d, sequential } from "hashgrad/nn";
import { adam } from "hashgrad/optim";
import { poolSizeFor, ProductVariablePool, VariableFactory } from "hashgrad/smh";
import { evaluate, train } from "hashgrad/train";

const network = (vars) => sequential(
  conv2d(scope(vars, "conv"), 1, 8, 3, { padding: "same", strides: 2 }),
  batchNorm(scope(vars, "norm"), 8),
  relu,
  conv2d(scope(vars, "conv2"), 8, 16, 3),
  relu,
  globalAvgPool2d(),
  dense(scope(vars, "head"), 16, 10),
);
const build = () => {
  const vars = new VariableFactory({ pool: new ProductVariablePool({ poolSize: poolSizeFor(network), fraction: 0.5, seed: 1 }), seed: 1 });
  return { vars, model: network(vars) };
};
const data = syntheticDigits(128, new Generator(1));
const { vars, model } = build();
const { epochs } = await train({ model, optimizer: adam(vars.parameters()), data, epochs: 4, batchSize: 16 });
if (!(epochs.at(-1).loss < epochs[0].loss)) throw new Error("no learning: " + epochs.map(({ loss }) => loss).join(" "));
const folder = mkdtempSync(join(tmpdir(), "hashgrad-run-"));
const file = join(folder, "weights.safetensors");
await saveWeights(file, vars);
const other = build();
await loadWeights(file, other.vars);
rmSync(folder, { recursive: true });
const [first, second] = [await evaluate({ model, data }), await evaluate({ model: other.model, data })];
if (first.loss !== second.loss) throw new Error("the loaded model is another: " + first.loss + " and " + second.loss);
const digest = createHash("sha256").update(encodeWeights(vars)).digest("hex").slice(0, 16);
console.log(JSON.stringify({ backend: backend(), digest, accuracy: first.accuracy }));
`;

/** A command, from an environment variable or the PATH. */
function found(name: string, variable: string): string | null {
  const given = process.env[variable];
  if (given !== undefined && given !== "") return given;
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  return places.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A runtime's program `bin`, installed from npm into a folder of its own. null if that fails. */
function installed(name: string, bin: string, spec: string, folder: string): string | null {
  const prefix = join(folder, `${name}-program`); // a folder of the package's name would be taken for the package
  try {
    mkdirSync(prefix);
    writeFileSync(join(prefix, "package.json"), JSON.stringify({ private: true })); // npm does not make the folder of a prefix
    npm(["install", "--prefix", prefix, "--no-audit", "--no-fund", "--silent", spec], folder); // these packages fetch or link a binary
  } catch (error) {
    console.log(`${spec} could not be installed: ${error instanceof Error ? error.message : error}`);
    return null;
  }
  const path = join(prefix, "node_modules/.bin", bin);
  return existsSync(path) ? path : null;
}

/** Name, program, package on npm, environment variable and arguments of each runtime. */
const known = [
  ["node22", "node22", "node@22", "NODE22", []],
  ["node24", "node24", "node@24", "NODE24", []],
  ["bun", "bun", "bun", "BUN", []],
  ["deno", "deno", "deno", "DENO", ["run", "--allow-all", "--quiet"]],
] as const;

const [install, wanted] = [process.argv.includes("--install"), process.argv.slice(2).filter((name) => !name.startsWith("-"))];
const tools = mkdtempSync(join(tmpdir(), "hashgrad-runtimes-"));
const packed = installPacked();
const rows: Record<string, string | number | boolean>[] = [];
const digests = new Map<boolean, string>();
let failed = 0;

/** Runs the program once and adds a row. */
async function measure(name: string, command: string, args: readonly string[], threads: string): Promise<void> {
  const env = { HASHGRAD_THREADS: threads };
  const { code, stdout, stderr, seconds } = await runChild(command, [...args, "train.mjs"], {
    cwd: packed.folder,
    env,
    timeout: LIMIT,
  });
  const line = stdout.trim().split("\n").at(-1) ?? "";
  const report = code === 0 && line.startsWith("{") ? (JSON.parse(line) as Report) : null;
  if (report === null) {
    failed++;
    rows.push({ runtime: name, threads, reason: `FAILED, code ${code}: ${stderr.trim().slice(-300)}` });
    return;
  }
  const { backend, digest } = report;
  const before = digests.get(backend.fused) ?? digest;
  digests.set(backend.fused, before);
  if (before !== digest) failed++;
  rows.push({
    runtime: name,
    backend: backend.name,
    threads: `${backend.threads} of ${threads}`,
    fused: backend.fused,
    digest: before === digest ? digest : `${digest} DIFFERS`,
    seconds: Number(seconds.toFixed(1)),
    reason: backend.reason,
  });
}

try {
  writeFileSync(join(packed.folder, "train.mjs"), program);
  const runtimes: [string, string, readonly string[]][] = [[`node ${process.versions.node}`, process.execPath, []]];
  for (const [name, bin, spec, variable, args] of known) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const path = found(bin, variable) ?? (install ? installed(name, bin.replace(/\d+$/, ""), spec, tools) : null);
    if (path === null) console.log(`${name}: not found, skipped (${variable} names it, --install fetches it)`);
    else runtimes.push([name, path, args]);
  }
  for (const [name, command, args] of runtimes) for (const threads of ["1", "2"]) await measure(name, command, args, threads);
  for (const row of rows)
    console.log(
      Object.entries(row)
        .map(([name, value]) => `${name}: ${value}`)
        .join(" | "),
    );
  console.log(`runtimes: ${rows.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
} finally {
  packed.remove();
  rmSync(tools, { recursive: true, force: true });
}

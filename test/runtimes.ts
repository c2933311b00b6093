// `npm run test:runtimes`: packs the library and trains, saves, loads and evaluates with the tarball on every
// JavaScript runtime that is found. NODE22, NODE24, BUN and DENO name the programs. NODE20_19_0 and similar variables
// name the oldest versions that package.json admits. `-- --install` installs missing programs from npm into a temporary
// folder. With `--install`, projects that use jest (CommonJS and ES modules) and vitest do the same. Names (`--
// --install jest vitest`) select. All runs must end by themselves and, for equal `fused`, give the same weights.
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { installPacked, npm, root, runChild } from "./packed.ts";
import { type Project, program, projects, type Report } from "./runtime-programs.ts";

/** Longest run of one program. */
const LIMIT = 60_000;

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
    // npm does not create the folder of a prefix.
    writeFileSync(join(prefix, "package.json"), JSON.stringify({ private: true }));
    // These packages fetch or link a binary.
    npm(["install", "--prefix", prefix, "--no-audit", "--no-fund", "--silent", spec], folder);
  } catch (error) {
    console.log(`${spec} could not be installed: ${error instanceof Error ? error.message : error}`);
    return null;
  }
  const path = join(prefix, "node_modules/.bin", bin);
  return existsSync(path) ? path : null;
}

/** The folder of a project with its test runner and the packed library. null if npm cannot install the runner. */
function prepared(name: string, { package: runner, files }: Project): string | null {
  const folder = join(tools, name);
  mkdirSync(folder);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  try {
    npm(["install", "--no-audit", "--no-fund", "--silent", packed.tarball, runner], folder);
    return folder;
  } catch (error) {
    console.log(`${runner} could not be installed: ${error instanceof Error ? error.message : error}`);
    return null;
  }
}

/** The oldest versions of Node.js that package.json admits. */
const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
const oldest = engines.node.match(/\d+\.\d+\.\d+/g) ?? [];

type Known = readonly [name: string, program: string, npm: string, variable: string, args: readonly string[]];
/** Name, program, package on npm, environment variable and arguments of each runtime. */
const known: readonly Known[] = [
  ["node22", "node22", "node@22", "NODE22", []],
  ["node24", "node24", "node@24", "NODE24", []],
  ["bun", "bun", "bun", "BUN", []],
  ["deno", "deno", "deno", "DENO", ["run", "--allow-all", "--quiet"]],
  ...oldest.map(
    (version): Known => [`node${version}`, `node${version}`, `node@${version}`, `NODE${version.replaceAll(".", "_")}`, []],
  ),
];

const [install, wanted] = [process.argv.includes("--install"), process.argv.slice(2).filter((name) => !name.startsWith("-"))];
const tools = mkdtempSync(join(tmpdir(), "hashgrad-runtimes-"));
const packed = installPacked();
const rows: Record<string, string | number | boolean>[] = [];
const digests = new Map<boolean, string>();
let failed = 0;

/** What runs the program in `folder`. */
type Runtime = { readonly name: string; readonly command: string; readonly args: readonly string[]; readonly folder: string };

/** Runs the program once and adds a row. */
async function measure({ name, command, args, folder }: Runtime, threads: string): Promise<void> {
  const file = join(folder, "report.json");
  rmSync(file, { force: true });
  const env = { HASHGRAD_THREADS: threads };
  const { code, stderr, seconds } = await runChild(command, args, { cwd: folder, env, timeout: LIMIT });
  if (code !== 0 || !existsSync(file)) {
    failed++;
    rows.push({ runtime: name, threads, reason: `FAILED, code ${code}: ${stderr.trim().slice(-300)}` });
    return;
  }
  const { backend, digest } = JSON.parse(readFileSync(file, "utf8")) as Report;
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
  const runtimes: Runtime[] = [];
  const add = (name: string, command: string, args: readonly string[], folder: string): void => {
    runtimes.push({ name, command, args, folder });
  };
  const chosen = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
  add(`node ${process.versions.node}`, process.execPath, ["train.mjs"], packed.folder);
  for (const [name, bin, spec, variable, args] of known) {
    if (!chosen(name)) continue;
    const path = found(bin, variable) ?? (install ? installed(name, bin.replace(/[\d.]+$/, ""), spec, tools) : null);
    if (path === null) console.log(`${name}: not found, skipped (${variable} names it, --install fetches it)`);
    else add(name, path, [...args, "train.mjs"], packed.folder);
  }
  for (const [name, project] of Object.entries(projects)) {
    if (!chosen(name)) continue;
    const folder = install ? prepared(name, project) : null;
    if (folder === null) console.log(`${name}: skipped (--install fetches ${project.package})`);
    else add(name, process.execPath, project.arguments, folder);
  }
  for (const runtime of runtimes) for (const threads of ["1", "2"]) await measure(runtime, threads);
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

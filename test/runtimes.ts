// `npm run test:runtimes`: packs the library and trains, saves, loads and evaluates with the tarball on every
// JavaScript runtime that is found. Then each runtime runs the command `hashgrad`, see runtime-command.ts. NODE22,
// NODE24, BUN and DENO name the programs. NODE20_19_0 and similar variables name the oldest versions that package.json
// admits. `-- --install` installs missing programs from npm into a temporary folder. With `--install`, projects that
// use jest (CommonJS and ES modules) and vitest do the same. Names (`-- --install jest vitest`) select. All runs must
// end by themselves and, for equal `fused`, give the same weights.
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { installPacked, npm, root, runChild } from "./packed.ts";
import { type Command, digestOf, runCommand, writeCommandData } from "./runtime-command.ts";
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

type Known = {
  readonly name: string;
  /** The program on the PATH. */
  readonly program: string;
  /** The package on npm. */
  readonly npm: string;
  /** The environment variable that names the program. */
  readonly variable: string;
  /** Arguments before a script. */
  readonly script: readonly string[];
  /** Arguments that start the command `hashgrad`. */
  readonly command: readonly string[];
};
const tools = mkdtempSync(join(tmpdir(), "hashgrad-runtimes-"));
const packed = installPacked();
const node: Pick<Known, "script" | "command"> = {
  script: [],
  command: [join(packed.folder, "node_modules/hashgrad/dist/cli/bin.js")],
};
const known: readonly Known[] = [
  { name: "node22", program: "node22", npm: "node@22", variable: "NODE22", ...node },
  { name: "node24", program: "node24", npm: "node@24", variable: "NODE24", ...node },
  { name: "bun", program: "bun", npm: "bun", variable: "BUN", script: [], command: ["x", "--bun", "hashgrad"] },
  {
    ...{ name: "deno", program: "deno", npm: "deno", variable: "DENO" },
    ...{ script: ["run", "--allow-all", "--quiet"], command: ["run", "-A", "npm:hashgrad"] },
  },
  ...oldest.map((version): Known => {
    const name = `node${version}`;
    return { name, program: name, npm: `node@${version}`, variable: `NODE${version.replaceAll(".", "_")}`, ...node };
  }),
];

const [install, wanted] = [process.argv.includes("--install"), process.argv.slice(2).filter((name) => !name.startsWith("-"))];
const rows: Record<string, string | number | boolean>[] = [];
const digests = new Map<boolean, string>();
const pieces = new Map<boolean, Readonly<Record<string, string>>>();
let failed = 0;

/** What runs the program in `folder`. */
type Runtime = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  /** How users call the command `hashgrad`; null if the command is not tested. */
  readonly hashgrad: readonly string[] | null;
};

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

/** Runs the command `hashgrad` and adds a row. */
async function measureCommand(name: string, command: Command, folder: string, hasImages: boolean): Promise<void> {
  const began = performance.now();
  try {
    const report = await runCommand(command, packed.folder, folder, hasImages);
    const before = pieces.get(report.fused) ?? report.pieces;
    pieces.set(report.fused, before);
    const differ = Object.keys(before).filter((piece) => before[piece] !== report.pieces[piece]);
    if (differ.length > 0) failed++;
    rows.push({
      runtime: name,
      command: ["hashgrad", ...command.args].at(-1)!.endsWith("bin.js") ? "hashgrad" : [name, ...command.args].join(" "),
      fused: report.fused,
      digest: digestOf(JSON.stringify(report.pieces)),
      ...(differ.length > 0 ? { DIFFERS: differ.join(", ") } : {}),
      images: hasImages,
      seconds: Number(((performance.now() - began) / 1000).toFixed(1)),
    });
  } catch (error) {
    failed++;
    rows.push({ runtime: name, command: "hashgrad", reason: `FAILED: ${error instanceof Error ? error.message : error}` });
  }
}

try {
  writeFileSync(join(packed.folder, "train.mjs"), program);
  const runtimes: Runtime[] = [];
  const chosen = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
  const inPacked = { folder: packed.folder, args: ["train.mjs"] };
  runtimes.push({ name: `node ${process.versions.node}`, command: process.execPath, hashgrad: node.command, ...inPacked });
  for (const { name, program: bin, npm: spec, variable, script, command } of known) {
    if (!chosen(name)) continue;
    const path = found(bin, variable) ?? (install ? installed(name, bin.replace(/[\d.]+$/, ""), spec, tools) : null);
    if (path === null) console.log(`${name}: not found, skipped (${variable} names it, --install fetches it)`);
    else runtimes.push({ name, command: path, hashgrad: command, ...inPacked, args: [...script, "train.mjs"] });
  }
  for (const [name, project] of Object.entries(projects)) {
    if (!chosen(name)) continue;
    const folder = install ? prepared(name, project) : null;
    if (folder === null) console.log(`${name}: skipped (--install fetches ${project.package})`);
    else runtimes.push({ name, command: process.execPath, args: project.arguments, folder, hashgrad: null });
  }
  for (const runtime of runtimes) for (const threads of ["1", "2"]) await measure(runtime, threads);
  const hasImages = await writeCommandData(packed.folder);
  for (const [i, { name, command, hashgrad }] of runtimes.entries())
    if (hashgrad !== null) await measureCommand(name, { program: command, args: hashgrad }, `command-${i}`, hasImages);
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

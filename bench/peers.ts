// `npm run bench:peers`: this library beside others on the same tasks, each program a process of its own, in turns. Options: --rounds 3,
// --seconds 0.3 (a task), --only <regex of tasks>, --peers <names, comma between>, --figure median|min, --write (into docs/benchmarks.md).
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../src/variables/index.ts";
import { type Measurement, machine, median } from "./harness.ts";
import { ROWS } from "./peers/tasks.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "0.3" },
    only: { type: "string", default: "" },
    peers: { type: "string", default: "ours,fma,tfjs-wasm,tfjs-autodiff,pytorch,tfjs-cpu,jax" },
    figure: { type: "string", default: "median" },
    write: { type: "boolean", default: false },
  },
});
const figure = values.figure === "min" ? "min" : "median";
const here = fileURLToPath(new URL("./peers/", import.meta.url));

type Program = {
  readonly title: string;
  readonly file: string;
  readonly threads: readonly number[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** So slow that it runs in one round only, with few calls, and not the tasks that this pattern names, which take minutes. */
  readonly slow?: RegExp;
  /** The only tasks it does otherwise than a program before it. */
  readonly rows?: RegExp;
};

/** Debian's PyTorch: OpenBLAS told of AVX-512, large arrays not given back to the system after each call, no thread that spins. */
const TORCH_ENV = {
  OPENBLAS_CORETYPE: "SkylakeX",
  MALLOC_MMAP_THRESHOLD_: "33554432",
  MALLOC_TRIM_THRESHOLD_: "2000000000",
  MALLOC_TOP_PAD_: "200000000",
  OMP_WAIT_POLICY: "PASSIVE",
};
const PYTHON = "/usr/bin/python3";

const programs: Readonly<Record<string, Program>> = {
  ours: { title: "hashgrad", file: "ours.ts", threads: [1, 2] },
  fma: { title: "hashgrad, FMA", file: "ours.ts", threads: [1, 2], env: { HASHGRAD_FMA: "on" } },
  "tfjs-wasm": { title: "tfjs WASM", file: "tfjs.ts", threads: [1, 2] },
  "tfjs-autodiff": {
    title: "tfjs WASM, autodiff",
    file: "tfjs.ts",
    threads: [1, 2],
    args: ["--backend", "wasm-autodiff"],
    rows: /^(conv|depthwise).*backward|training/,
  },
  pytorch: { title: "PyTorch", file: "pytorch.py", threads: [1, 2], env: TORCH_ENV },
  "tfjs-cpu": {
    title: "tfjs CPU",
    file: "tfjs.ts",
    threads: [1],
    args: ["--backend", "cpu"],
    slow: /1024³|64×64, forward and backward/,
  },
  jax: { title: "jax-js", file: "jax.ts", threads: [1], slow: /^$/ },
};

/** A program with a number of threads: a column of the table. */
type Column = { readonly program: Program; readonly threads: number };

function install(): void {
  if (existsSync(join(here, "node_modules"))) return;
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
  if (status !== 0) throw new Error("bench/peers: npm ci failed");
}

/** What a program prints for each task, and the version it names. */
function run({ program, threads }: Column): { found: Measurement[]; version: string } {
  const { file, args = [], slow, rows = /^/ } = program;
  const python = file.endsWith(".py");
  const script = join(here, file);
  const only = ROWS.filter((row) => new RegExp(values.only).test(row) && rows.test(row) && !slow?.test(row));
  const pattern = `^(${only.map((row) => row.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`;
  const budget = slow === undefined ? ["--seconds", values.seconds] : ["--seconds", "0.1", "--least", "1"];
  const options = [...args, "--only", pattern, "--threads", String(threads), ...budget];
  const { OPENBLAS_L2_SIZE: _, ...inherited } = process.env;
  const counts = { HASHGRAD_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) }; // PyTorch does not tell OpenBLAS
  const { stdout, stderr, status } = spawnSync(
    python ? PYTHON : process.execPath,
    python ? [script, ...options] : ["--import", "tsx", script, ...options],
    {
      encoding: "utf8",
      timeout: 300_000,
      env: { ...(python ? inherited : process.env), ...counts, ...program.env },
    },
  );
  if (status !== 0) process.stderr.write(`${program.title}: ended with ${status}\n${stderr.slice(-500)}\n`);
  const lines = (stdout ?? "").split("\n").filter((line) => line.startsWith("{"));
  const read = lines.map((line) => JSON.parse(line) as Partial<Measurement> & { error?: string; version?: string });
  for (const { name, error } of read) if (error !== undefined) process.stderr.write(`${program.title}: ${name}: ${error}\n`);
  return {
    found: read.filter((one): one is Measurement => one.median !== undefined),
    version: read.find(({ version }) => version !== undefined)?.version ?? "",
  };
}

const digits = (x: number): string => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 0.1 ? x.toFixed(2) : x.toFixed(3));

/** Milliseconds by column and row: the median of the rounds. */
type Figures = ReadonlyMap<Column, ReadonlyMap<string, number>>;

function measure(columns: readonly Column[], versions: Map<string, string>, loads: number[]): Figures {
  const seen = new Map(columns.map((column) => [column, new Map<string, number[]>()]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const column of columns) {
      if (column.program.slow !== undefined && round > 0) continue;
      const { found, version } = run(column);
      loads.push(loadavg()[0]!);
      if (version !== "") versions.set(column.program.title, version);
      for (const one of found) seen.get(column)!.set(one.name, [...(seen.get(column)!.get(one.name) ?? []), one[figure]]);
      process.stderr.write(
        `round ${round + 1}: ${column.program.title}, ${column.threads} threads; load ${loads.at(-1)!.toFixed(1)}\n`,
      );
    }
  }
  const middles = (rows: Map<string, number[]>): Map<string, number> =>
    new Map([...rows].map(([name, xs]) => [name, median(xs)]));
  return new Map([...seen].map(([column, rows]) => [column, middles(rows)]));
}

/** The table for a number of threads: milliseconds, and in brackets how many times ours. */
function tableOf(figures: Figures, threads: number): [string[], string[][]] {
  const columns = [...figures].filter(([column, rows]) => column.threads === threads && rows.size > 0);
  const ours = columns.find(([{ program }]) => program === programs.ours)?.[1];
  const rows = ROWS.filter((row) => columns.some(([, found]) => found.has(row)));
  const cell = (row: string, program: Program, found: ReadonlyMap<string, number>): string => {
    const [ms, own] = [found.get(row), ours?.get(row)];
    if (ms === undefined) return "";
    return program === programs.ours || own === undefined ? digits(ms) : `${digits(ms)} (${digits(ms / own)})`;
  };
  const head = [`ms, ${threads === 1 ? "one thread" : `${threads} threads`}`, ...columns.map(([{ program }]) => program.title)];
  return [head, rows.map((row) => [row, ...columns.map(([{ program }, found]) => cell(row, program, found))])];
}

const markdown = ([head, rows]: [string[], string[][]]): string =>
  [head, head.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |`.replace("| -- |", "|--|")).join("\n");

/** Puts text between the two markers of docs/benchmarks.md. */
function write(text: string): void {
  const file = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
  const [begin, end] = ["<!-- peers:begin -->", "<!-- peers:end -->"];
  const before = readFileSync(file, "utf8");
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${begin} … ${end}`);
  writeFileSync(file, `${before.slice(0, from + begin.length)}\n${text}\n${before.slice(to)}`);
}

install();
const versions = new Map<string, string>();
const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8")) as { dependencies: Record<string, string> };
versions.set("tfjs", dependencies["@tensorflow/tfjs-core"]!).set("jax-js", dependencies["@jax-js/jax"]!);
const asked = values.peers.split(",").flatMap((name) => {
  const program = programs[name];
  if (program === undefined) throw new RangeError(`--peers must name some of ${Object.keys(programs).join(", ")}, got "${name}"`);
  return [program];
});
const torch = spawnSync(PYTHON, ["-c", "import torch"]).status === 0;
const present = asked.filter((program) => torch || program !== programs.pytorch);
const note = present.length < asked.length ? " No PyTorch here (python3-torch)." : "";
const columns = [1, 2].flatMap((threads) =>
  present.filter((program) => program.threads.includes(threads)).map((program) => ({ program, threads })),
);
const loads: number[] = [];
const figures = measure(columns, versions, loads);
const tables = [1, 2].map((threads) => tableOf(figures, threads)).filter(([head]) => head.length > 1);
for (const [head, rows] of tables) console.log(`${table(head, rows)}\n`);
const list = [...versions].map(([name, version]) => `${name} ${version}`).join(", ");
const what = `${machine()}; ${list}; ${new Date().toISOString().slice(0, 10)}; ${figure} of a run, median of ${values.rounds} rounds; load average ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}; in brackets: times hashgrad's.${note}`;
console.log(what);
if (values.write) write(`${what}\n\n${tables.map(markdown).join("\n\n")}`);

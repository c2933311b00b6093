// The programs that are compared, and how they run: each in a process of its own.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Measurement } from "../harness.ts";
import type { Facts } from "./program.ts";
import { NET_ROWS } from "./tasks.ts";

const here = fileURLToPath(new URL("./", import.meta.url));
const PYTHON = "/usr/bin/python3";

export type Program = {
  readonly title: string;
  readonly file: string;
  readonly threads: readonly number[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * So slow that it runs in one round only, with few calls, and without the tasks that this pattern names, which take
   * minutes.
   */
  readonly slow?: RegExp;
  /** The only tasks that differ from those of a program before it. */
  readonly rows?: (row: string) => boolean;
};

/**
 * Debian's PyTorch needs them to show its speed: glibc must not return large buffers to the kernel after each op, and
 * OpenBLAS does not recognize AVX-512 on every processor.
 */
const TORCH_ENV = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "17179869184",
  MALLOC_TOP_PAD_: "268435456",
  ...(existsSync("/proc/cpuinfo") && readFileSync("/proc/cpuinfo", "utf8").includes("avx512f")
    ? { OPENBLAS_CORETYPE: "SkylakeX" }
    : {}),
};

export const programs: Readonly<Record<string, Program>> = {
  ours: { title: "hashgrad", file: "ours.ts", threads: [1, 2] },
  fma: {
    title: "hashgrad, FMA",
    file: "ours.ts",
    threads: [1, 2],
    env: { HASHGRAD_FMA: "on" },
    rows: (row) => !NET_ROWS.includes(row),
  },
  "tfjs-wasm": { title: "tfjs WASM", file: "tfjs.ts", threads: [1, 2] },
  "tfjs-autodiff": {
    title: "tfjs WASM, autodiff",
    file: "tfjs.ts",
    threads: [1, 2],
    args: ["--backend", "wasm-autodiff"],
    rows: (row) => /^(conv|depthwise).*backward|training/.test(row) && !NET_ROWS.includes(row),
  },
  pytorch: { title: "PyTorch", file: "pytorch.py", threads: [1, 2], env: TORCH_ENV },
  "pytorch-last": {
    title: "PyTorch, channels last",
    file: "pytorch.py",
    threads: [1, 2],
    args: ["--channels-last"],
    env: TORCH_ENV,
    rows: (row) => NET_ROWS.includes(row),
  },
  "pytorch-installed": { title: "PyTorch, as installed", file: "pytorch.py", threads: [1, 2] },
  "tfjs-cpu": {
    title: "tfjs CPU",
    file: "tfjs.ts",
    threads: [1],
    args: ["--backend", "cpu"],
    slow: /1024³|64×64, forward and backward|Net/,
  },
  jax: { title: "jax-js", file: "jax.ts", threads: [1], slow: /Net/ },
};

/** Installs the libraries if they are missing, and returns their versions. */
export function install(): Record<string, string> {
  if (!existsSync(join(here, "node_modules"))) {
    const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
    if (status !== 0) throw new Error("bench/peers: npm ci failed");
  }
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return { tfjs: dependencies["@tensorflow/tfjs-core"]!, "jax-js": dependencies["@jax-js/jax"]! };
}

export const hasTorch = (): boolean => spawnSync(PYTHON, ["-c", "import torch"]).status === 0;

/** What a program prints for a task; `peak` is in MB. */
export type Line = Measurement & Facts & { readonly peak: number };
export type Answer = Line | { readonly name: string; readonly error: string };

/** Runs the tasks of `rows` that the program has. */
export function run(
  { title, file, args = [], env, slow, rows: has = () => true }: Program,
  threads: number,
  rows: readonly string[],
  budget: { readonly seconds: number; readonly least: number },
): { answers: Answer[]; version: string } {
  const asked = rows.filter((row) => has(row) && !slow?.test(row));
  if (asked.length === 0) return { answers: [], version: "" };
  const python = file.endsWith(".py");
  const pattern = `^(${asked.map((row) => row.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`;
  const { seconds, least } = slow === undefined ? budget : { seconds: 0.1, least: 1 };
  const options = [...args, "--only", pattern, "--threads", `${threads}`, "--seconds", `${seconds}`, "--least", `${least}`];
  const { OPENBLAS_L2_SIZE: _, ...inherited } = process.env;
  // PyTorch does not pass its thread count to OpenBLAS.
  const counts = { HASHGRAD_THREADS: `${threads}`, OPENBLAS_NUM_THREADS: `${threads}` };
  const { stdout, stderr, status } = spawnSync(
    python ? PYTHON : process.execPath,
    [...(python ? [] : ["--import", "tsx"]), join(here, file), ...options],
    { encoding: "utf8", timeout: 600_000, env: { ...(python ? inherited : process.env), ...counts, ...env } },
  );
  if (status !== 0) process.stderr.write(`${title}: ended with ${status}\n${stderr.slice(-500)}\n`);
  const lines = (stdout ?? "").split("\n").filter((line) => line.startsWith("{"));
  const read = lines.map((line) => JSON.parse(line) as Answer | { readonly version: string });
  const answers = read.filter((one): one is Answer => "name" in one);
  for (const one of answers) if ("error" in one) process.stderr.write(`${title}: ${one.name}: ${one.error}\n`);
  return { answers, version: read.flatMap((one) => ("version" in one ? [one.version] : []))[0] ?? "" };
}

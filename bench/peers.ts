// `npm run bench:peers`: this library beside others on the same tasks. Each program is a process of its own, and they
// run in turns. By one thread CPU time is measured, by two the elapsed time. The programs must agree on logits and
// losses of real networks. Options: --tables kernels,networks,memory (all three), --threads 1,2, --rounds 2, --seconds
// 0.3 (a task), --only <regex of tasks>, --peers <names, comma between>, --figure median|min, --write (into
// docs/benchmarks.md).
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../src/variables/index.ts";
import { machine, median } from "./harness.ts";
import { type Aim, aimRows, memoryAims, TIME_AIMS } from "./peers/aims.ts";
import { type Answer, hasTorch, install, type Line, programs, run } from "./peers/programs.ts";
import { MEMORY_ROWS, NET_ROWS, SMALL_ROWS } from "./peers/tasks.ts";

const { values } = parseArgs({
  options: {
    tables: { type: "string", default: "kernels,networks,memory" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "2" },
    seconds: { type: "string", default: "0.3" },
    only: { type: "string", default: "" },
    peers: { type: "string", default: Object.keys(programs).join() },
    figure: { type: "string", default: "median" },
    write: { type: "boolean", default: false },
  },
});
/**
 * Logits agree to rounding. The loss after an update agrees less: channels of small variance enlarge rounding errors in
 * gradients.
 */
const tolerance = (row: string): number => (row.includes("training") ? 1e-2 : 1e-4);

/** The programs that run, by their keys. */
function present(): string[] {
  const names = values.peers.split(",");
  const unknown = names.find((name) => programs[name] === undefined);
  if (unknown !== undefined)
    throw new RangeError(`--peers must name some of ${Object.keys(programs).join(", ")}, got "${unknown}"`);
  if (hasTorch()) return names;
  process.stderr.write("no PyTorch here (python3-torch)\n");
  return names.filter((name) => !name.startsWith("pytorch"));
}

const versions = install();
const asked = present();
const only = (rows: readonly string[]): string[] => rows.filter((row) => new RegExp(values.only).test(row));

/** What the first program found for a row: the others must find the same. */
const agreed = new Map<string, Line>();

/** @throws if a program computes other results, or trains another count of numbers, than the first. */
function compare(title: string, answer: Line): void {
  const first = agreed.get(answer.name) ?? answer;
  agreed.set(answer.name, first);
  const [got, want] = [answer.results ?? [], first.results ?? []];
  const size = Math.max(...want.map(Math.abs));
  const error = Math.max(0, ...got.map((v, i) => Math.abs(v - want[i]!) / size));
  if (answer.parameters !== first.parameters || got.length !== want.length || !(error <= tolerance(answer.name))) {
    const counts = `${answer.parameters} parameters, want ${first.parameters}`;
    throw new Error(`${title}: ${answer.name}: relative error ${error} of ${got.length} results; ${counts}`);
  }
}

/** Figures by program, threads and row; the text says why there is none. */
type Figures = Map<string, number | string>;
const key = (program: string, threads: number, row: string): string => [program, threads, row].join("|");
const loads: number[] = [];

function answersOf(name: string, threads: number, rows: readonly string[], budget: Parameters<typeof run>[3]): readonly Answer[] {
  const program = programs[name]!;
  const { answers, version } = run(program, threads, rows, budget);
  if (version !== "") versions[program.title.replace(/,.*/, "")] = version;
  for (const one of answers) if (!("error" in one)) compare(program.title, one);
  loads.push(loadavg()[0]!);
  const load = loads.at(-1)!.toFixed(1);
  if (answers.length > 0) process.stderr.write(`${program.title}, ${threads} threads, ${answers.length} tasks; load ${load}\n`);
  return answers;
}

const failure = (error: string): string => (/memory/.test(error) ? "no memory" : "failed");

/** Milliseconds: the median of the rounds. */
function measure(rows: readonly string[], least: number): Figures {
  const seen = new Map<string, (number | string)[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const threads of values.threads.split(",").map(Number)) {
      for (const name of asked.filter((one) => programs[one]!.threads.includes(threads))) {
        if (programs[name]!.slow !== undefined && round > 0) continue;
        for (const one of answersOf(name, threads, rows, { seconds: Number(values.seconds), least })) {
          const found = "error" in one ? failure(one.error) : one[values.figure === "min" ? "min" : "median"];
          const at = key(name, threads, one.name);
          seen.set(at, [...(seen.get(at) ?? []), found]);
        }
      }
    }
  }
  const middle = (all: readonly (number | string)[]): number | string =>
    all.find((one) => typeof one === "string") ?? median(all as readonly number[]);
  return new Map([...seen].map(([at, all]) => [at, middle(all)]));
}

/** Peak resident memory in MB of processes that do one task a few times. */
function measureMemory(rows: readonly string[]): Figures {
  const peaks: Figures = new Map();
  for (const name of asked.filter((one) => !["fma", "tfjs-autodiff", "tfjs-cpu", "jax"].includes(one))) {
    for (const row of rows) {
      for (const one of answersOf(name, 1, [row], { seconds: 0, least: 3 })) {
        peaks.set(key(name, 1, row), "error" in one ? failure(one.error) : one.peak);
      }
    }
  }
  return peaks;
}

const digits = (x: number): string => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 0.1 ? x.toFixed(2) : x.toFixed(3));

type Table = readonly [head: string[], rows: string[][]];

/** Figures, and in brackets how many times ours. */
function tableOf(figures: Figures, rows: readonly string[], threads: number, unit: string): Table {
  const figure = (name: string, row: string): number | string | undefined => figures.get(key(name, threads, row));
  const names = asked.filter((name) => rows.some((row) => figure(name, row) !== undefined));
  const cell = (row: string, name: string): string => {
    const [found, own] = [figure(name, row) ?? "", figure("ours", row)];
    if (typeof found === "string") return found;
    return name === "ours" || typeof own !== "number" ? digits(found) : `${digits(found)} (${digits(found / own)})`;
  };
  const shown = rows.filter((row) => names.some((name) => figure(name, row) !== undefined));
  return [
    [unit, ...names.map((name) => programs[name]!.title)],
    shown.map((row) => [row, ...names.map((name) => cell(row, name))]),
  ];
}

/** What a reader must know of tables: machine, versions, day. */
function circumstances(tables: readonly Table[]): string {
  const titles = tables.flatMap(([head]) => head);
  const used = Object.entries(versions).filter(([library]) => titles.some((title) => title.startsWith(library)));
  const load = `load average ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
  const lines = [`${machine()}, ${new Date().toISOString().slice(0, 10)}, ${load}.`];
  if (used.length > 0)
    lines.push(`${used.map(([library, version]) => `${library} ${version}`).join(", ")}. In brackets: times hashgrad's.`);
  return lines.join("\n");
}

/** Prints tables, or writes them between two markers of docs/benchmarks.md. */
function publish(name: string, tables: readonly Table[]): void {
  const what = circumstances(tables);
  for (const [head, rows] of tables) console.log(`${table(head, rows)}\n`);
  console.log(`${what}\n`);
  if (!values.write) return;
  const markdown = ([head, rows]: Table): string =>
    [head, head.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |`.replace("| -- |", "|--|")).join("\n");
  const file = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const before = readFileSync(file, "utf8");
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${begin} … ${end}`);
  const text = [what, ...tables.map(markdown)].join("\n\n");
  writeFileSync(file, `${before.slice(0, from + begin.length)}\n${text}\n${before.slice(to)}`);
}

/** The aims of which the figures are there, as a table. */
function aimTable(aims: readonly Aim[], figures: Figures): Table {
  const figure = (name: string, threads: number, row: string): number | undefined => {
    const found = figures.get(key(name, threads, row));
    return typeof found === "number" ? found : undefined;
  };
  return [["aim", "bound", "one thread", "2 threads"], aimRows(aims, figure, digits)];
}
const notEmpty = ([head, rows]: Table): boolean => head.length > 1 && rows.length > 0;

const tables = values.tables.split(",");
for (const [name, rows, least] of [
  ["kernels", only(SMALL_ROWS), 3],
  ["networks", only(NET_ROWS), 1], // a step takes up to seconds
] as const) {
  if (!tables.includes(name) || rows.length === 0) continue;
  const figures = measure(rows, least);
  const both = [tableOf(figures, rows, 1, "ms, one thread"), tableOf(figures, rows, 2, "ms, 2 threads")];
  publish(name, [...both, aimTable(TIME_AIMS, figures)].filter(notEmpty));
}
if (tables.includes("memory")) {
  const peaks = measureMemory(only(MEMORY_ROWS));
  publish(
    "memory",
    [tableOf(peaks, MEMORY_ROWS, 1, "peak memory, MB"), aimTable(memoryAims(MEMORY_ROWS), peaks)].filter(notEmpty),
  );
}

import { resolve } from "node:path";
import { Command, type Help, Option } from "commander";
import {
  addDataOptions,
  addGridOptions,
  addModelOptions,
  addPoolOptions,
  addThreads,
  addVerbosity,
  type DataFlags,
  type Define,
  dataOptions,
  type ModelFlags,
  modelChoice,
  type PoolFlags,
  poolChoice,
} from "./definitions.ts";
import type { Io } from "./io.ts";
import { isModelName, MODEL_NAMES } from "./models.ts";
import { dataPath, type PoolKind, parsersOf } from "./options.ts";
import { type Shard, shardOf } from "./sweep/shard.ts";
import { UsageError } from "./usage.ts";

type VerboseFlags = { readonly json?: boolean; readonly quiet?: boolean };
const verbosity = ({ json = false, quiet = false }: VerboseFlags): { json: boolean; quiet: boolean } => ({ json, quiet });

const addSeed = (command: Command, name: string, text: string): void =>
  void command.addOption(new Option("--seed <n>", text).argParser(parsersOf(name).whole("--seed", 0)).default(1));

type TrainFlags = DataFlags &
  ModelFlags &
  PoolFlags &
  VerboseFlags & { readonly seed: number; readonly threads?: number; readonly out?: string };

const train: Define = (program, run) => {
  const command = program
    .command("train")
    .description("Trains a network, and writes a run folder.")
    .usage("--data <what> [options]");
  addDataOptions(command, "train");
  addModelOptions(command, "train", isModelName, MODEL_NAMES);
  addPoolOptions(command, "train");
  addSeed(command, "train", "seed of starting values, order and split, at least 0");
  addThreads(command, "train");
  command.option("--out <folder>", "run folder (default: the next free runs/<n>)");
  addVerbosity(command);
  command.action((flags: TrainFlags) =>
    run(async (io) => {
      const { seed, threads = null, out = null } = flags;
      const choice = { ...poolChoice("train", flags), ...modelChoice(flags), seed };
      const options = { ...choice, threads, out, ...verbosity(flags), data: dataOptions("train", flags, seed) };
      return (await import("./commands/train.ts")).train(options, io);
    }),
  );
};

type SweepFlags = DataFlags &
  ModelFlags &
  VerboseFlags & {
    readonly fractions: readonly number[];
    readonly pools: readonly PoolKind[];
    readonly dense?: true;
    readonly seeds: readonly number[];
    readonly jobs?: number;
    readonly threads?: number;
    readonly shard?: Shard;
    readonly queue?: string | true;
    readonly shared?: string;
    readonly out?: string;
  };

const sweep: Define = (program, run) => {
  const command = program
    .command("sweep")
    .description("Trains a run for each pool, fraction and seed, and compares the runs.")
    .usage("--data <what> [options]");
  addDataOptions(command, "sweep");
  addModelOptions(command, "sweep", isModelName, MODEL_NAMES);
  addGridOptions(command, "sweep");
  command
    .option("--jobs <n>", "runs at the same time, at least 1 (default: one per core)", parsersOf("sweep").whole("--jobs", 1))
    .option("--threads <n>", "threads of each run, 1 to 16 (default: cores / jobs)", parsersOf("sweep").whole("--threads", 1, 16))
    .option("--shard <part>", "trains a part of the runs: 2/4, or auto/4 in a job of Kubernetes or Slurm", (text) =>
      shardOf(text, process.env),
    )
    .option("--queue [url]", "workers train: redis://host:6379 (without a URL: HASHGRAD_QUEUE)")
    .option("--shared <folder>", "folder that workers share, for files above 16 MB (default: none)", absolute)
    .option("--out <folder>", "folder of the runs (default: the next free sweeps/<n>)");
  addVerbosity(command, "prints JSON lines: one per epoch, one per run, then the result");
  command.action((flags: SweepFlags) =>
    run(async (io) => {
      const { pools, fractions, dense = false, seeds, jobs = null, threads = null, shard = null, out = null } = flags;
      const { seed: _, ...data } = dataOptions("sweep", flags, 0);
      const [queue, shared] = [flags.queue === undefined ? null : queueUrl("sweep", flags.queue), flags.shared ?? null];
      if (queue === null && shared !== null) throw new UsageError("sweep", "--shared is a folder for workers: give --queue");
      const spread = { jobs, threads, shard, queue, shared, out, ...verbosity(flags) };
      const options = { pools, fractions, dense, seeds, data, settings: modelChoice(flags), ...spread };
      return (await import("./commands/sweep.ts")).sweep(options, io);
    }),
  );
};

/** The URL of an option that may stand without it. */
function queueUrl(name: string, given: string | true): string {
  const url = given === true ? process.env.HASHGRAD_QUEUE : given;
  if (url === undefined || url === "")
    throw new UsageError(name, "--queue needs the URL of Redis, such as redis://host:6379, or the variable HASHGRAD_QUEUE");
  return url;
}

const absolute = (path: string): string => resolve(path);

type WorkerFlags = {
  readonly queue?: string | true;
  readonly jobs?: number;
  readonly threads?: number;
  readonly work?: string;
  readonly shared?: string;
  readonly stalled: number;
  readonly drain?: true;
  readonly quiet?: true;
};

const worker: Define = (program, run) => {
  const { whole, number } = parsersOf("worker");
  const stalled = number("--stalled", "at least 1", (n) => n >= 1 && Number.isFinite(n));
  program
    .command("worker")
    .description("Trains runs that sweep --queue has put into Redis, until Ctrl-C.")
    .option("--queue [url]", "redis://host:6379 (default: the variable HASHGRAD_QUEUE)")
    .option("--jobs <n>", "runs at the same time, at least 1 (default: one per core)", whole("--jobs", 1))
    .option("--threads <n>", "threads of each run, 1 to 16 (default: cores / jobs)", whole("--threads", 1, 16))
    .option("--work <folder>", "folder for runs in training (default: temporary files)", absolute)
    .option("--shared <folder>", "folder that workers and sweep share, for files above 16 MB (default: none)", absolute)
    .addOption(
      new Option("--stalled <s>", "seconds until the run of a dead worker goes to another, at least 1")
        .argParser(stalled)
        .default(30),
    )
    .option("--drain", "ends when the queue is empty")
    .option("--quiet", "prints nothing")
    .action((flags: WorkerFlags) =>
      run(async (io) => {
        const { jobs = null, threads = null, work = null, shared = null, stalled, drain = false, quiet = false } = flags;
        const options = { queue: queueUrl("worker", flags.queue ?? true), jobs, threads, work, shared, stalled, drain, quiet };
        return (await import("./commands/worker.ts")).worker(options, io);
      }),
    );
};

const resume: Define = (program, run) => {
  const command = program
    .command("resume")
    .description("Continues a run from its last checkpoint, with exactly the same weights, or a sweep.");
  command.argument("<run>", "folder of a run or of a sweep");
  addThreads(command, "resume");
  addVerbosity(command);
  command.action((folder: string, flags: VerboseFlags & { threads?: number }) =>
    run(async (io) => {
      const { threads = null } = flags;
      return (await import("./commands/resume.ts")).resume({ folder, threads, ...verbosity(flags) }, io);
    }),
  );
};

const evaluate: Define = (program, run) => {
  const command = program.command("evaluate").description("Evaluates the best weights of a run, or a weights file.");
  command
    .argument("<run>", "run folder, or file such as best.safetensors")
    .option(
      "--data <what>",
      "other data: mnist, a folder of IDX files or of images, or a .csv file (default: of the run)",
      dataPath,
    )
    .option(
      "--split <part>",
      "train, validation or test (default: test if there is one)",
      parsersOf("evaluate").oneOf("--split", SPLITS),
    );
  addThreads(command, "evaluate");
  addVerbosity(command, "prints one line of JSON with the confusion matrix");
  command.action((path: string, flags: EvaluateFlags) =>
    run(async (io) => {
      const { data = null, split = null, threads = null } = flags;
      return (await import("./commands/evaluate.ts")).evaluate({ path, data, split, threads, ...verbosity(flags) }, io);
    }),
  );
};
const SPLITS = ["train", "validation", "test"] as const;
type EvaluateFlags = VerboseFlags & {
  readonly data?: string;
  readonly split?: (typeof SPLITS)[number];
  readonly threads?: number;
};

const predict: Define = (program, run) => {
  const command = program
    .command("predict")
    .description("Predicts images or rows, and prints a line for each.")
    .argument("<model>", "run folder or weights file")
    .argument("<files...>", "images, folders of images or .csv files; - reads the standard input");
  command.addOption(
    new Option("--top <n>", "classes to print, at least 1").argParser(parsersOf("predict").whole("--top", 1)).default(5),
  );
  command.option("--json", "prints one JSON object per image or row");
  addThreads(command, "predict");
  command.action((model: string, sources: string[], flags: { json?: boolean; top: number; threads?: number }) =>
    run(async (io) => {
      const { json = false, top, threads = null } = flags;
      return (await import("./commands/predict.ts")).predict({ model, sources, json, top, threads }, io);
    }),
  );
};

const info: Define = (program, run) => {
  const command = program.command("info").description("Tells what a run folder, a weights file or a checkpoint holds.");
  command.argument("<path>", "run folder, or .safetensors file").option("--json", "prints one line of JSON");
  command.action((path: string, { json = false }: VerboseFlags) =>
    run(async (io) => (await import("./commands/info.ts")).info({ path, json }, io)),
  );
};

const DTYPES = ["float32", "float16", "bfloat16", "int8"] as const;
type ExportFlags = VerboseFlags & { readonly onnx?: boolean; readonly torch?: boolean; readonly dtype?: (typeof DTYPES)[number] };

const exportModel: Define = (program, run) => {
  const command = program.command("export").description("Writes the best weights of a run in another form.");
  command
    .argument("<run>", "run folder, or file such as best.safetensors")
    .argument("<file>", "file to write")
    .option("--onnx", "writes the model as an ONNX file")
    .option("--torch", "writes all weights with PyTorch's names and layouts")
    .option(
      "--dtype <type>",
      "float32, float16, bfloat16 or int8 (default: float32)",
      parsersOf("export").oneOf("--dtype", DTYPES),
    );
  addVerbosity(command, "prints one line of JSON");
  command.action((path: string, out: string, flags: ExportFlags) =>
    run(async (io) => {
      const { onnx = false, torch = false, dtype } = flags;
      if (Number(onnx) + Number(torch) + Number(dtype !== undefined) > 1)
        throw new UsageError("export", "--onnx, --torch and --dtype exclude each other: write one file after the other");
      const format = onnx ? "onnx" : torch ? "torch" : "weights";
      const options = { path, out, format, dtype: dtype ?? "float32", ...verbosity(flags) } as const;
      return (await import("./commands/export.ts")).exportModel(options, io);
    }),
  );
};

const report: Define = (program, run) => {
  const command = program.command("report").description("Writes one HTML file with curves, confusions and sizes of runs.");
  command
    .argument("<runs...>", "folders of runs or of sweeps")
    .option("--out <file>", "file to write (default: report.html in the first folder)");
  command.action((folders: string[], { out = null }: { readonly out?: string | null }) =>
    run(async (io) => (await import("./commands/report.ts")).report({ folders, out }, io)),
  );
};

/** The commands, in the order of the help page. */
const COMMANDS: readonly Define[] = [train, sweep, worker, resume, evaluate, predict, info, exportModel, report];

const WIDEST = 100;

/** Help of one screen: usage, a sentence, then a line for each argument, option and command. */
function formatHelp(command: Command, helper: Help): string {
  const width = helper.padWidth(command, helper);
  const line = (term: string, text: string): string => helper.formatItem(term, width, text, helper);
  return [
    `Usage: ${helper.commandUsage(command)}`,
    helper.commandDescription(command),
    ...helper.visibleArguments(command).map((a) => line(helper.argumentTerm(a), helper.argumentDescription(a))),
    ...helper.visibleCommands(command).map((c) => line(helper.subcommandTerm(c), helper.subcommandDescription(c))),
    ...helper.visibleOptions(command).map((o) => line(helper.optionTerm(o), helper.optionDescription(o))),
    "",
  ].join("\n");
}

/** The program of all commands. It writes help to `write`, and throws CommanderError for a wrong command line. */
export function programOf(run: Parameters<Define>[1], { stdout }: Io, version: string): Command {
  const program = new Command("hashgrad").description("Trains networks whose weights are computed from few numbers.");
  const helpWidth = Math.min(WIDEST, stdout.columns || WIDEST);
  program
    .usage("<command> [options]; hashgrad <command> --help prints the options")
    .version(version, "--version", "prints the version")
    .helpOption("-h, --help", "prints this page")
    .helpCommand(false)
    .configureHelp({ helpWidth, formatHelp, subcommandTerm: (command) => command.name() })
    .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: () => undefined, outputError: () => undefined })
    .exitOverride();
  for (const define of COMMANDS) define(program, run);
  for (const command of program.commands) command.addHelpOption(new Option("-h, --help").hideHelp());
  return program;
}

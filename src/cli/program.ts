import { Command, type Help, Option } from "commander";
import {
  addDataOptions,
  addModelOptions,
  addPoolOptions,
  addThreads,
  addVerbosity,
  type DataFlags,
  type Define,
  dataOptions,
  type ModelFlags,
  type PoolFlags,
  poolChoice,
} from "./definitions.ts";
import type { Io } from "./io.ts";
import { isModelName, MODEL_NAMES } from "./models.ts";
import { parsersOf } from "./options.ts";

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
      const { seed, epochs, batchSize, model = null, learningRate = null, augment = [], earlyStopping = null } = flags;
      const { threads = null, out = null } = flags;
      const choice = { ...poolChoice("train", flags), epochs, batchSize, learningRate, augment, earlyStopping, seed };
      const options = { ...choice, model, threads, out, ...verbosity(flags), data: dataOptions("train", flags, seed) };
      return (await import("./commands/train.ts")).train(options, io);
    }),
  );
};

const resume: Define = (program, run) => {
  const command = program
    .command("resume")
    .description("Continues a run from its last checkpoint, with exactly the same weights.");
  command.argument("<run>", "run folder");
  addThreads(command, "resume");
  addVerbosity(command);
  command.action((folder: string, flags: VerboseFlags & { threads?: number }) =>
    run(async (io) => {
      const { threads = null } = flags;
      return (await import("./commands/resume.ts")).resume({ folder, threads, ...verbosity(flags) }, io);
    }),
  );
};

/** The commands, in the order of the help page. */
const COMMANDS: readonly Define[] = [train, resume];

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

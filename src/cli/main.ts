import { CommanderError } from "commander";
import { HashgradError } from "../tensor/index.ts";
import { EXIT, type Io } from "./io.ts";
import { programOf } from "./program.ts";
import { version } from "./version.ts";

/**
 * Runs the command line and returns the exit code. An error that the user caused becomes one line, without a stack
 * trace.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.done;
  const program = programOf(
    async (action) => {
      code = await action(io);
    },
    io,
    version(),
  );
  try {
    await program.parseAsync(argv.length === 0 ? ["--help"] : [...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done; // help, version
      const command = program.commands.find((one) => one.name() === argv[0])?.name() ?? "hashgrad";
      const help = command === "hashgrad" ? "hashgrad --help" : `hashgrad ${command} --help`;
      io.stderr.write(
        `${command}: ${oneLine(error.message.replace(/^error: /, "").replace(/\.$/, ""))}; ${help} lists the options\n`,
      );
      return EXIT.usage;
    }
    if (!(error instanceof HashgradError)) throw error;
    io.stderr.write(`${oneLine(error.message)}\n`);
    return (await isFailure(error)) ? EXIT.failed : EXIT.usage;
  }
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " ");

/** Whether training failed, so the command line and the data are right. Loads modules that help does not need. */
async function isFailure(error: HashgradError): Promise<boolean> {
  const { TrainingError } = await import("../train/index.ts");
  const { MemoryError } = await import("../kernels/index.ts");
  return error instanceof TrainingError || error instanceof MemoryError;
}

/**
 * Runs `main` for this process. Ctrl-C ends the command after the current step; a second Ctrl-C exits immediately. A
 * process that was started by another one with a channel ends when the channel closes.
 * @param before - arguments that come before those of the process
 */
export async function runProcess(before: readonly string[] = []): Promise<void> {
  const stop = new AbortController();
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    stop.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  if (process.connected) {
    process.on("disconnect", () => stop.abort()); // the command that started this one has ended
    process.channel?.unref(); // a listener would keep this process alive
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.done); // the reader has seen enough
    throw error;
  });
  const { stdout, stderr } = process;
  const io = { stdout, stderr, signal: stop.signal, program: thisProgram() };
  process.exitCode = await main([...before, ...process.argv.slice(2)], io);
}

/** The command of a process like this one, without the arguments of the command line. */
function thisProgram(): string[] {
  const run = "deno" in process.versions ? ["run", "--allow-all"] : process.execArgv;
  return [process.execPath, ...run, process.argv[1]!];
}

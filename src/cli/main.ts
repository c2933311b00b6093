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
  let [command, names]: [string, readonly string[]] = ["hashgrad", []];
  try {
    const program = programOf(
      async (action) => {
        code = await action(io);
      },
      io,
      version(),
    );
    names = program.commands.map((one) => one.name());
    command = names.find((name) => name === argv[0]) ?? command;
    await program.parseAsync(argv.length === 0 ? ["--help"] : [...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done; // help, version
      const help = command === "hashgrad" ? "hashgrad --help" : `hashgrad ${command} --help`;
      io.stderr.write(
        `${command}: ${oneLine(error.message.replace(/^error: /, "").replace(/\.$/, ""))}; ${help} lists the options\n`,
      );
      return EXIT.usage;
    }
    if (!(error instanceof HashgradError || isRefusal(error))) throw error;
    const text = await messageOf(error);
    const isNamed = names.some((name) => text.startsWith(`${name}: `)); // `resume` also trains
    io.stderr.write(`${isNamed ? text : `${command}: ${text}`}\n`);
    return (await isFailure(error)) ? EXIT.failed : EXIT.usage;
  }
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " ");

/** Whether the file system, or Deno without a permission, refused a call. */
const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && ("syscall" in error || error.name === "NotCapable");

/** The message in one line, which begins with the name of a command or with what is wrong. */
async function messageOf(error: Error): Promise<string> {
  const text = oneLine(error.message);
  const { FileError } = await import("../io/index.ts");
  // The name of a function of the library says less than the name of the command, if a path follows.
  return error instanceof FileError ? text.slice(text.indexOf(": ") + 2) : text.replace(/^[a-z]\w+: (?=\S*[/\\])/, "");
}

/** Whether training failed, so the command line and the data are right. Loads modules that help does not need. */
async function isFailure(error: Error): Promise<boolean> {
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

import { backend } from "../backends/index.ts";
import { MemoryError } from "../kernels/index.ts";
import { HashgradError } from "../tensor/index.ts";
import { TrainingError } from "../train/index.ts";
import { mnist } from "./mnist.ts";
import { HELP, parseOptions, UsageError } from "./options.ts";
import type { Output } from "./progress.ts";

/** Where a command writes, and what ends it early. */
export type Io = { readonly stdout: Output; readonly stderr: Output; readonly signal: AbortSignal };

/** Runs the command and returns the exit code; what a user did wrong becomes one line, without a stack trace. */
export async function main(argv: readonly string[], { stdout, stderr, signal }: Io): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (!options.help) settings(); // a wrong environment variable is the user's mistake too
    if (!options.help) return (await mnist(options, stdout, signal)) ? 130 : 0;
    stdout.write(HELP);
    return 0;
  } catch (error) {
    if (!(error instanceof HashgradError || error instanceof MemoryError)) throw error;
    stderr.write(`${error.message}\n`);
    return error instanceof TrainingError || error instanceof MemoryError ? 1 : 2;
  }
}

/** Chooses the kernels by the environment. @throws UsageError for a wrong variable. */
function settings(): void {
  try {
    backend();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Runs `main` for this process: Ctrl-C ends after the step in hand, a second one at once. */
export async function runProcess(): Promise<void> {
  const stop = new AbortController();
  process.on("SIGINT", () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // the reader has seen enough
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, signal: stop.signal });
}

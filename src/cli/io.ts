import type { Output } from "./progress.ts";

/** Where a command writes, and what ends the command early. */
export type Io = {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** The standard input; default: that of the process. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** The program and the first arguments of a process that runs this command line again. */
  readonly program?: readonly string[];
};

/** How much a command prints. */
export type Verbosity = {
  /** JSON lines only. */
  readonly json: boolean;
  /** The result only. */
  readonly quiet: boolean;
};

/** Exit codes of all commands. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

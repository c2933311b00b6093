import { main } from "../../src/cli/main.ts";

/** What a command did. */
export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/**
 * Runs a command in this process.
 * @param program - what runs the command line in a process of its own, for `sweep`
 */
export async function command(
  argv: readonly string[],
  signal: AbortSignal = new AbortController().signal,
  program: readonly string[] = [],
): Promise<Ran> {
  const [writes, errors]: [string[], string[]] = [[], []];
  const [stdout, stderr] = [writes, errors].map((texts) => ({ write: (text: string) => texts.push(text) }));
  const code = await main(argv, { stdout: stdout!, stderr: stderr!, signal, program });
  return { code, out: writes.join(""), err: errors.join("") };
}

/** A signal that aborts when it is read for the n-th time: training reads it before each batch. */
export function abortedAtRead(n: number): AbortSignal {
  let reads = 0;
  return Object.defineProperty(new AbortController().signal, "aborted", { get: () => ++reads > n });
}

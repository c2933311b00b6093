import { backend } from "../../backends/index.ts";
import { EXIT, type Io, type Verbosity } from "../io.ts";
import { kernelsText, RUN_LOCK } from "../run/files.ts";
import { writeEpochs } from "../run/folder.ts";
import { loadRun } from "../run/load.ts";
import { claim } from "../run/lock.ts";
import { modelOf } from "../run/model.ts";
import { isSweep } from "../sweep/plan.ts";
import { setThreads } from "../threads.ts";
import { UsageError } from "../usage.ts";
import { finish, open } from "./train.ts";

/** The options of `hashgrad resume`. */
export type ResumeOptions = Verbosity & { readonly folder: string; readonly threads: number | null };

/** Continues a run from its checkpoint, or the runs of a sweep. Returns the exit code. */
export async function resume(options: ResumeOptions, io: Io): Promise<number> {
  const { folder } = options;
  if (isSweep(folder)) return (await import("./sweep.ts")).resumeSweep(options, io);
  setThreads("resume", options.threads);
  const { config } = loadRun(folder);
  const opened = await open(config.data, io, options);
  if (opened === null) return EXIT.interrupted;
  if (opened.digest !== config.digest)
    throw new UsageError(
      "resume",
      `the data ${config.data.data} have changed since the run began: their digest is ${short(opened.digest)}, the run has ${short(config.digest)}; train a new run`,
    );
  const [before, now] = [kernelsText(config.backend), kernelsText(backend())];
  if (before !== now)
    io.stderr.write(
      `note: the run began with the kernels ${before}, this process has ${now}: the last bits of the weights may differ\n`,
    );
  const built = modelOf(config);
  const release = await claim("resume", folder, RUN_LOCK);
  try {
    const { epochs: lines, torn } = loadRun(folder); // the process that had the folder may have written more
    if (torn) writeEpochs(folder, lines);
    return await finish({ folder, config, opened, built, lines, isResumed: true }, io, options);
  } finally {
    release();
  }
}

const short = (digest: string): string => `${digest.slice(0, 12)}…`;

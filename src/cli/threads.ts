import { backend, configure } from "../backends/index.ts";
import { UsageError } from "./usage.ts";

/** Chooses the kernels by the environment, and sets the threads. @throws UsageError for a wrong variable. */
export function setThreads(command: string, threads: number | null): void {
  try {
    if (threads === null) backend();
    else configure({ threads });
  } catch (error) {
    throw new UsageError(command, error instanceof Error ? error.message : String(error));
  }
}

// What the commands do while Redis cannot be reached: clients connect again by themselves, and commands wait.

const QUIET_MS = 30_000;

/** Says that Redis cannot be reached, at most twice a minute: each client of the process reports each attempt. */
export function outageNote(note: (text: string) => void): (error: Error) => void {
  let last = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (performance.now() - last < QUIET_MS) return;
    last = performance.now();
    note(`Redis cannot be reached (${message}); waiting for it`);
  };
}

const GRACE_MS = 2000;

/** Waits for a promise, but at most 2 seconds after an abort: without Redis the promise might never settle. */
export async function within(signal: AbortSignal, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let begin: () => void = () => undefined;
  const late = new Promise<void>((resolve) => {
    begin = () => {
      timer = setTimeout(resolve, GRACE_MS);
    };
  });
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", begin);
  }
}

import type { Progress } from "../train/index.ts";

/** Where a command writes: a stream, and what it is. */
export type Output = {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

export const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;
export const count = (n: number): string => Math.round(n).toLocaleString("en");

export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Examples per second of the epoch so far. */
export const rateOf = ({ examples, seconds }: Progress): number => examples / seconds;

/** The longest line that fits a terminal; no limit elsewhere. */
export const widthOf = ({ isTTY, columns }: Output): number => (isTTY ? (columns || 80) - 1 : Number.POSITIVE_INFINITY);

/** A part of a line. Parts with a higher rank are left out first; the part with rank 0 always stays. */
export type LinePart = readonly [rank: number, text: string];

/** The parts as one line of at most `width` characters, if leaving out parts makes this possible. */
export function fitted(parts: readonly LinePart[], width: number): string {
  const line = parts.map(([, text]) => text).join("  ");
  const highest = Math.max(...parts.map(([rank]) => rank));
  if (line.length <= width || highest === 0) return line;
  const others = parts.filter(([rank]) => rank !== highest);
  return fitted(others, width);
}

/**
 * Loss, score, speed and the time left, counted over all epochs, in one line.
 * @param score - such as "accuracy 98.20 %"
 * @param width - see `fitted`
 */
export function progressLine(p: Progress, score: string, width: number = Number.POSITIVE_INFINITY): string {
  const done = (8 * p.batch) / p.batches;
  const bar = "█".repeat(Math.round(done)) + "░".repeat(8 - Math.round(done));
  const each = p.batches / p.batch; // examples of the epoch, as a multiple of those so far
  const left = (p.examples * (each - 1 + (p.epochs - p.epoch) * each)) / rateOf(p);
  const parts: LinePart[] = [
    [0, `epoch ${p.epoch}/${p.epochs} ${bar}`],
    [3, `loss ${p.loss.toFixed(4)}`],
    [2, score],
    [4, `${count(rateOf(p))} examples/s`],
    [1, `${clock(left)} left`],
  ];
  return fitted(parts, width);
}

/** A line that is written over itself on a terminal, ten times a second at most; elsewhere nothing. */
export function liveLine(output: Output): { show: (text: () => string) => void; clear: () => void } {
  let last = Number.NEGATIVE_INFINITY;
  let shown = false;
  return {
    show: (text): void => {
      const now = performance.now();
      if (!output.isTTY || now - last < 100) return;
      last = now;
      shown = true;
      output.write(`\r${text().slice(0, widthOf(output))}\x1b[K`);
    },
    clear: (): void => {
      if (shown) output.write("\r\x1b[K");
      shown = false;
    },
  };
}

import type { Skipped } from "./opened.ts";

/** The most entries that a message lists. */
const MOST_LISTED = 10;

/** One line for each of the first ten entries, then a line that counts the rest. */
export function skippedLines(skipped: readonly Skipped[]): string[] {
  const lines = skipped.slice(0, MOST_LISTED).map(({ where, reason }) => `${where}: ${reason}`);
  const more = skipped.length - lines.length;
  return more > 0 ? [...lines, `and ${more.toLocaleString("en")} more`] : lines;
}

/** The message that refuses data with such entries, in one line. */
export function refusal(skipped: readonly Skipped[], what: string): string {
  return `--strict refuses ${what}: ${skippedLines(skipped).join("; ")}`;
}

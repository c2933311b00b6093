import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A table in Markdown. */
export const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "--"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");

/** Returns the page with `text` between the two comments that `command` marks. */
export function withTable(page: string, command: string, text: string): string {
  const [begin, end] = [`<!-- ${command}: begin -->\n`, `<!-- ${command}: end -->`];
  const [before = "", rest = ""] = page.split(begin);
  const after = rest.split(end)[1];
  if (after === undefined) throw new Error(`the page lacks the lines ${begin.trim()} and ${end}`);
  return `${before}${begin}${text}${end}${after}`;
}

/** Writes `text` between the two comments that `command` marks in a page, given by its path below `docs`. */
export function writeTable(page: string, command: string, text: string): void {
  const path = fileURLToPath(new URL(`../docs/${page}`, import.meta.url));
  writeFileSync(path, withTable(readFileSync(path, "utf8"), command, text));
}

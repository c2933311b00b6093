import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

// The rules of docs/style.md that a machine can check, over Markdown pages, comments, docstrings and texts of the code.

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (name: string): string => readFileSync(root + name, "utf8");
const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(root + folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(ending) && !/node_modules|\.snippets/.test(name));

const pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", ...filesIn("docs", ".md")];
const sources = ["src", "test", "bench", "docs"]
  .flatMap((folder) => filesIn(folder, ".ts"))
  .filter((name) => !["src/backends/wasm/binary.ts", "test/language.test.ts"].includes(name));

/** Pages that do not keep a rule yet. Take a page off the list when it does. */
const exempt: Readonly<Record<"lines" | "sentences", readonly string[]>> = {
  lines: [],
  sentences: [],
};

const LONGEST_LINE = 120;
const MOST_WORDS = 30;

/** The lines of a page that are prose or a heading: not code, not tables, not comments. */
const proseOf = (text: string): string[] =>
  text
    .replace(/^```[\s\S]*?^```$/gm, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .split("\n")
    .map((line) => (line.startsWith("|") ? "" : line));

/** A line without a place to break it, such as a long address, may be longer. */
const tooLong = (line: string): boolean =>
  line.length > LONGEST_LINE &&
  line
    .trim()
    .replace(/^[-*!] ?/, "")
    .includes(" ");

/** The sentences of a page. A heading, a paragraph and an item of a list end a sentence. */
function sentencesOf(text: string): string[] {
  const parts = proseOf(text)
    .join("\n")
    .split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=#)|(?<=^#.*)\n/m);
  return parts.flatMap((part) => part.replaceAll(/\s+/g, " ").split(/(?<=[.!?]\)?) (?=\S)/));
}
const wordsOf = (sentence: string): number => sentence.split(" ").filter((word) => /[\p{Letter}\p{Number}]/u.test(word)).length;

/**
 * Metaphors that the standard term replaces, and British spellings. Whole words only, so names such as `floor(x)` in
 * code may stay.
 */
const metaphors = /\b(?:houses?|floors?|rooms?|seats?|seated|walls?|doors?|chores?|nobody)\b/gi;
const british =
  /\b(?:[a-z]*(?:normal|initial|standard|optim|serial|vector|minim|maxim|summar|general|quant|parallel|synchron|organ|recogn|emphas)is(?:e|ed|es|er|ers|ing|ation|ations)|colou?red(?<=oured)|colours?|behaviours?|neighbours?|neighbouring|centred?|favours?|favourite|labelled|labelling|modelling|cancelled|cancelling|analyse[sd]?|catalogue|grey|whilst)\b/g;
/** The original description of the method is "the original README" or "the paper". */
const seed = /\bthe seed (?:README|code|says|asks|describes|wants)\b/gi;

/** The words of a text that a rule forbids. Code between backticks is not language. */
const forbidden = (text: string): string[] => {
  const language = text.replace(/`[^`]*`/g, "");
  return [metaphors, british, seed].flatMap((rule) => [...language.matchAll(rule)].map(([word]) => word));
};

describe("pages", () => {
  test("a line of prose has at most 120 characters", () => {
    const long = pages.flatMap((page) =>
      exempt.lines.includes(page)
        ? []
        : read(page)
            .split("\n")
            .flatMap((line, i) => (proseOf(read(page)).includes(line) && tooLong(line) ? [`${page}:${i + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });

  test("the README has at most 120 lines of at most 120 characters, tables included", () => {
    const lines = read("README.md").split("\n");
    expect(lines.length).toBeLessThanOrEqual(120);
    expect(lines.filter((line) => line.length > LONGEST_LINE)).toEqual([]);
  });

  test("a sentence has at most 30 words", () => {
    const long = pages.flatMap((page) =>
      exempt.sentences.includes(page)
        ? []
        : sentencesOf(read(page))
            .filter((sentence) => wordsOf(sentence) > MOST_WORDS)
            .map((sentence) => `${page}: ${sentence}`),
    );
    expect(long).toEqual([]);
  });

  test("pages contain no forbidden words", () => {
    const found = pages.flatMap((page) => forbidden(proseOf(read(page)).join("\n")).map((word) => `${page}: ${word}`));
    expect(found).toEqual([]);
  });

  test("every page on the list of exemptions breaks its rule", () => {
    const kept = exempt.lines.filter((page) => !proseOf(read(page)).some(tooLong));
    const short = exempt.sentences.filter((page) => !sentencesOf(read(page)).some((sentence) => wordsOf(sentence) > MOST_WORDS));
    expect([...kept, ...short]).toEqual([]);
  });
});

/** The comments of a source file, and its texts: strings with a space, since others are names. */
function wordsIn(name: string): string[] {
  const text = read(name);
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, false);
  const found = [...text.matchAll(/\/\*[\s\S]*?\*\/|(?<![:"'`/])\/\/.*/g)].map(([comment]) => comment);
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      if (node.text.includes(" ")) found.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

test("comments, docstrings and texts of the code contain no forbidden words", () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(
    sources.flatMap((name) =>
      wordsIn(name)
        .flatMap(forbidden)
        .map((word) => `${name}: ${word}`),
    ),
  ).toEqual([]);
});

test("the rules find forbidden words, long sentences and long lines", () => {
  expect(forbidden("the house of a normalised colour; nobody, `nobody`, Math.fround")).toEqual([
    "house",
    "nobody",
    "normalised",
    "colour",
  ]);
  expect(wordsOf(sentencesOf(`One two. ${"word ".repeat(31)}`)[1]!)).toBe(31);
  expect(tooLong("a ".repeat(61))).toBe(true);
});

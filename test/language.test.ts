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

/** "where" for a condition instead of "if", and "too" at the end of a sentence. */
const clumsy =
  /\b(?:throws|fails|nothing|null|none|only) where\b|\bwhere (?:there (?:is|are)|this is|it has)\b|, too(?=[.:;!?)]|$)/gi;
const phrases = (text: string): string[] =>
  [
    ...text
      .replace(/`[^`]*`/g, "`")
      .replace(/\s+/g, " ")
      .matchAll(clumsy),
  ].map(([phrase]) => phrase);

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
    const found = pages.flatMap((page) => {
      const prose = proseOf(read(page)).join("\n");
      return [...forbidden(prose), ...phrases(prose)].map((word) => `${page}: ${word}`);
    });
    expect(found).toEqual([]);
  });

  test("every page on the list of exemptions breaks its rule", () => {
    const kept = exempt.lines.filter((page) => !proseOf(read(page)).some(tooLong));
    const short = exempt.sentences.filter((page) => !sentencesOf(read(page)).some((sentence) => wordsOf(sentence) > MOST_WORDS));
    expect([...kept, ...short]).toEqual([]);
  });
});

/** A comment, or a run of `//` lines, without its markers: text and number of its first line. */
type Comment = { readonly line: number; readonly text: string };

/** The comments of a source file, its lines of comments, and its texts: strings with a space, since others are names. */
function languageOf(name: string): { comments: Comment[]; lines: Comment[]; texts: string[] } {
  const source = read(name);
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, false);
  const ranges = new Map<number, ts.CommentRange>();
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      if (node.text.includes(" ")) texts.push(node.text);
    }
    const children = node.getChildren(file);
    for (const child of children) visit(child);
    if (children.length > 0) return;
    const around = [ts.getLeadingCommentRanges(source, node.pos), ts.getTrailingCommentRanges(source, node.end)];
    for (const range of around.flatMap((some) => some ?? [])) ranges.set(range.pos, range);
  };
  visit(file);

  const whole = source.split("\n");
  const lines = new Map<number, Comment>();
  const comments: Comment[] = [];
  let last = { line: -1, alone: false };
  for (const { pos, end, kind } of [...ranges.values()].sort((a, b) => a.pos - b.pos)) {
    const { line, character } = file.getLineAndCharacterOfPosition(pos);
    const raw = source.slice(pos, end);
    for (const [i] of raw.split("\n").entries()) lines.set(line + i, { line: line + i + 1, text: whole[line + i]! });
    const text = raw.replace(/^\/\*\*?|\*\/$|^\/\/ ?/g, "").replace(/^\s*\* ?/gm, "");
    const alone = kind === ts.SyntaxKind.SingleLineCommentTrivia && whole[line]!.slice(0, character).trim() === "";
    const before = comments.at(-1);
    if (before && alone && last.alone && last.line === line - 1) {
      comments[comments.length - 1] = { line: before.line, text: `${before.text}\n${text}` };
    } else {
      comments.push({ line: line + 1, text });
    }
    last = { line, alone };
  }
  return { comments, lines: [...lines.values()], texts };
}

/** A line of a comment that has a place to break it. Code before the comment may be as long as the formatter allows. */
const tooLongComment = (line: string): boolean =>
  [...line].length > LONGEST_LINE &&
  /^(?:\/\/|\/?\*)/.test(line.trim()) &&
  line
    .trim()
    .replace(/^\S+ (?:[-*] )?/, "")
    .includes(" ");

/** The prose of a comment. Not prose: examples, blocks of code, and diagrams, recognized by drawn lines or double spaces. */
const proseOfComment = (text: string): string =>
  text
    .replace(/^[ \t]*@example[\s\S]*?(?=^[ \t]*@(?!example)|(?![\s\S]))/gm, "")
    .replace(/^ *```[\s\S]*?^ *```$/gm, "")
    .replace(/^.*(?:[│─┌└]|\S {2,}\S).*$/gm, "")
    .replace(/^[ \t]*(?=@)/gm, "\n");

const code = sources.map((name) => ({ name, ...languageOf(name) }));

describe("comments and docstrings", () => {
  test("a line has at most 120 characters", () => {
    expect(sources.length).toBeGreaterThan(300);
    expect(
      code.flatMap(({ name, lines }) => lines.filter(({ text }) => tooLongComment(text)).map(({ line }) => `${name}:${line}`)),
    ).toEqual([]);
  });

  test("a sentence has at most 30 words", () => {
    expect(
      code.flatMap(({ name, comments }) =>
        comments.flatMap(({ line, text }) =>
          sentencesOf(proseOfComment(text))
            .filter((sentence) => wordsOf(sentence) > MOST_WORDS)
            .map((sentence) => `${name}:${line}: ${sentence}`),
        ),
      ),
    ).toEqual([]);
  });

  test("comments, docstrings and texts of the code contain no forbidden words", () => {
    expect(
      code.flatMap(({ name, comments, texts }) => [
        ...comments.flatMap(({ line, text }) => [...forbidden(text), ...phrases(text)].map((word) => `${name}:${line}: ${word}`)),
        ...texts.flatMap(forbidden).map((word) => `${name}: ${word}`),
      ]),
    ).toEqual([]);
  });
});

test("the rules find forbidden words, long sentences and long lines", () => {
  expect(forbidden("the house of a normalised colour; nobody, `nobody`, Math.fround")).toEqual([
    "house",
    "nobody",
    "normalised",
    "colour",
  ]);
  expect(phrases("Throws where this is no Node, too. `Throws where`, too (or too much), and the place where it lies")).toEqual([
    "Throws where",
    ", too",
  ]);
  expect(sentencesOf(proseOfComment("A b.\n- C d.\n@throws E.\n@example\nf();\n")).map((part) => part.trim())).toEqual([
    "A b.",
    "- C d.",
    "@throws E.",
  ]);
  expect(wordsOf(sentencesOf(`One two. ${"word ".repeat(31)}`)[1]!)).toBe(31);
  expect(tooLong("a ".repeat(61))).toBe(true);
});

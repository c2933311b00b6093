import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { docExamples } from "./docstrings.ts";

// Every example, every `ts` block of README and docs, and every example of a docstring runs. It must print the text
// behind each //=>.

const root = new URL("../", import.meta.url);
const generated = new URL("test/.snippets/", root);

/** What a source says it prints. */
const promised = (source: string): string[] => source.split("\n").flatMap((line) => /\/\/=> ?(.*)$/.exec(line)?.[1] ?? []);

async function printed(path: string): Promise<string[]> {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => {
    lines.push(...format(...values).split("\n"));
  });
  try {
    await import(path);
  } finally {
    log.mockRestore();
  }
  return lines;
}

// toy-mnist.ts runs in the tests of the command line.
const examples = readdirSync(new URL("docs/examples/", root)).filter((name) => name.endsWith(".ts") && name !== "toy-mnist.ts");

describe("examples", () => {
  test.each(examples)("%s prints the output in its comments", async (name) => {
    const path = fileURLToPath(new URL(`docs/examples/${name}`, root));
    vi.resetModules();
    const lines = await printed(path);
    const own = promised(readFileSync(path, "utf8"));
    expect(own.length).toBeGreaterThan(0);
    expect(lines.slice(-own.length)).toEqual(own); // an example that imports another prints that one's lines first
  });
});

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...["docs/", "docs/guides/"].flatMap((folder) =>
    readdirSync(new URL(folder, root)).flatMap((name) => (name.endsWith(".md") ? [folder + name] : [])),
  ),
];
const snippets = pages.flatMap((page) => {
  const text = readFileSync(new URL(page, root), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, source = ""], i): [string, string] => [
    `${page}, block ${i + 1}`,
    source,
  ]);
});

describe("snippets of README, docs and docstrings", () => {
  beforeAll(() => mkdirSync(generated, { recursive: true }));
  afterAll(() => rmSync(generated, { recursive: true, force: true }));

  test.each([...snippets, ...docExamples()])("%s runs and prints the output in its comments", async (name, source) => {
    const file = new URL(`${name.replace(/\W+/g, "-")}.ts`, generated);
    writeFileSync(file, source);
    expect(await printed(fileURLToPath(file))).toEqual(promised(source));
  });

  test("the pages contain snippets", () => expect(snippets.length).toBeGreaterThan(5));
});

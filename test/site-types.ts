// Checks the types of the site's scripts: docs/.vitepress and docs/demo. Both need the DOM's types, with which the
// sources of the library do not compile, so errors of files outside the two folders do not count.
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../", import.meta.url));
const folders = ["docs/.vitepress", "docs/demo"];

function problemsOf(config: string): readonly ts.Diagnostic[] {
  const { fileNames, options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, ts.sys.readFile).config,
    ts.sys,
    dirname(config),
  );
  const program = ts.createProgram(fileNames, options);
  const own = program.getSourceFiles().filter(({ fileName }) => {
    const path = relative(root, fileName);
    return folders.some((each) => path.startsWith(each));
  });
  return [
    ...program.getOptionsDiagnostics(),
    ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ];
}

const problems = problemsOf(join(root, "docs/.vitepress/tsconfig.json"));
process.stdout.write(
  ts.formatDiagnostics(problems, { getCanonicalFileName: String, getCurrentDirectory: () => root, getNewLine: () => "\n" }),
);
if (problems.length > 0) process.exitCode = 1;

// `npm run build` writes `dist`: tsc writes the declarations, then this script writes one readable file of JavaScript
// and a source map for each module of `src`. One file per module opens three times faster than one file per source
// file, and frames of errors still name the module.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const source = join(root, "src");

/** What users import as `hashgrad/<name>`, beside "hashgrad" itself and the tests' helpers. */
export const subpaths: readonly string[] = ["nn", "models", "optim", "smh", "data", "io", "train", "onnx", "distributed"];
/** The same without what needs Node.js: the entry points that browsers and `hashgrad/plain` have. */
export const browserSubpaths: readonly string[] = subpaths.filter((name) => name !== "distributed");
/** Modules of `src` that only other modules import. */
const inner = ["kernels", "backends", "tensor", "ops", "variables"];
const binary = "backends/wasm/binary.ts";
/** The files of `src` that become a file of `dist` each. */
const outputs: readonly string[] = [
  "index.ts",
  ...[...inner, ...subpaths, "testing"].map((module) => `${module}/index.ts`),
  "testing/arbitraries.ts",
  binary,
];

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  external: ["fast-check", "bullmq", "ioredis"],
  logLevel: "warning",
};

/** Paths in `src`, with slashes. */
const inSource = (path: string): string => relative(source, path).split(sep).join("/");

/** Leaves imports of other outputs as imports. The extension of modules in `dist` is ".js" in both formats. */
const oneFileEach: Plugin = {
  name: "one file for each module",
  setup: (build) => {
    build.onResolve({ filter: /^\.\.?\// }, ({ path, importer, kind }) => {
      if (kind === "entry-point") return null;
      const target = inSource(resolve(dirname(importer), path));
      if (!outputs.includes(target)) return null;
      const file = inSource(importer);
      const entry = outputs.includes(file) || !file.includes("/") ? file : `${file.split("/")[0]}/index.ts`;
      const from = relative(dirname(entry), target).split(sep).join("/");
      return { path: (from.startsWith(".") ? from : `./${from}`).replace(/\.ts$/, ".js"), external: true, sideEffects: false };
    });
  },
};

/** Puts a backend that always declines in the place of WebAssembly, so that its text is in no bundle. */
const withoutWebAssembly: Plugin = {
  name: "without WebAssembly",
  setup: (build) => {
    build.onResolve({ filter: /\/wasm\/backend\.ts$/ }, () => ({ path: join(source, "backends/wasm/absent.ts") }));
  },
};

/** Writes JavaScript of one format into `folder`; Node's own loader, jest and bundlers read the same files. */
async function write(format: "esm" | "cjs", folder: string): Promise<void> {
  const options: BuildOptions = { ...common, format, outdir: folder, outbase: "src", sourcesContent: false };
  const mapped = outputs.filter((file) => file !== binary).map((file) => `src/${file}`);
  await build({ ...options, entryPoints: mapped, plugins: [oneFileEach], sourcemap: true });
  await build({ ...options, entryPoints: [`src/${binary}`] }); // without a map: the source is as unreadable
  const files = mapped.filter((file) => !/^src\/(testing|distributed)\//.test(file));
  const plain = { ...options, outdir: `${folder}/plain`, plugins: [withoutWebAssembly, oneFileEach] };
  // A build of its own, so that bundlers drop unused modules.
  await build({ ...plain, entryPoints: [...files, "src/plain.ts"], sourcemap: true });
}

/** Options for code of the command, which contains packages. */
export const withPackages: BuildOptions = {
  external: ["sharp", "bullmq", "ioredis", "canvas"], // optional peers; canvas is an optional peer of linkedom
  // Packages in the CommonJS format call `require` for Node's modules.
  banner: {
    js: 'import { createRequire as __requireFrom } from "node:module"; const require = __requireFrom(import.meta.url);',
  },
};

/**
 * Writes the command `hashgrad` to dist/cli: a small entry, and a file for each command, loaded when the command runs.
 * The files hold the packages that only the command uses, so the library needs no package. They import the library
 * from the other files of `dist`.
 */
async function writeCommand(): Promise<void> {
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/cli/bin.ts"],
    outdir: "dist/cli",
    splitting: true,
    chunkNames: "[name]-[hash]",
    ...withPackages,
    plugins: [oneFileEach],
    metafile: true,
  });
  writeFileSync(join(root, "dist/cli/LICENSES.txt"), licenses(Object.keys(metafile.inputs)));
}

type Manifest = {
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
};

/**
 * The licenses of the packages that hold these files, and of all their dependencies: a file of linkedom contains other
 * packages.
 * @throws Error if a package has no license file.
 */
function licenses(files: readonly string[]): string {
  const names = new Set(files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
  const texts = new Map<string, string>();
  for (const name of names) {
    const folder = join(root, "node_modules", name);
    const { version, license, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    for (const dependency of Object.keys(dependencies)) names.add(dependency); // the loop visits this name later
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`the package ${name} has no license file`);
    texts.set(name, `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`);
  }
  const sorted = [...texts.keys()].sort().map((name) => texts.get(name)!);
  return ["The command hashgrad contains these packages.\n", ...sorted].join(`\n${"-".repeat(80)}\n\n`);
}

/** Writes `dist` (ES modules), and `dist/cjs` for tools that can only `require`. */
async function bundle(): Promise<void> {
  const declarations = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".d.ts"),
  );
  await write("esm", "dist");
  await write("cjs", "dist/cjs");
  await writeCommand();
  for (const file of declarations) cpSync(join(root, "dist", file), join(root, "dist/cjs", file));
  writeFileSync(join(root, "dist/cjs/package.json"), `${JSON.stringify({ type: "commonjs", sideEffects: false })}\n`);
}

/** One file of JavaScript for a program that imports "hashgrad" and "hashgrad/<name>". */
export async function oneFile(contents: string, options: BuildOptions): Promise<Uint8Array> {
  const stdin = { contents, resolveDir: options.absWorkingDir ?? root };
  const { outputFiles } = await build({ ...common, minifyWhitespace: true, minifySyntax: true, ...options, stdin, write: false });
  return outputFiles![0]!.contents;
}

/** All of the library but `testing` and `distributed` in one minified file: what a browser would be sent. */
export function everything(): Promise<Uint8Array> {
  const names = browserSubpaths.map((name) => `export * as ${name} from "./src/${name}/index.ts";`);
  const contents = ['export * from "./src/index.ts";', ...names].join("\n");
  return oneFile(contents, { platform: "browser", minify: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();

// The second half of `npm run build`, after the declarations: a file of JavaScript for each door and a few for what they share, so that an
// import opens a handful of files instead of sixty. Names stay, so that traces can be read.
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));

const doors = ["nn", "optim", "smh", "data", "io", "train"];

/** What is the same wherever the library is made one piece. */
const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  external: ["fast-check"],
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: "warning",
};

/** Writes the doors into `dist`. */
async function bundle(): Promise<void> {
  await build({
    ...common,
    entryPoints: ["src/index.ts", ...[...doors, "testing"].map((door) => `src/${door}/index.ts`)],
    outdir: "dist",
    outbase: "src",
    splitting: true,
    chunkNames: "shared/[name]-[hash]",
  });
}

/** A program that may import "hashgrad" and its doors, in one file of JavaScript. */
export async function oneFile(contents: string, options: BuildOptions): Promise<Uint8Array> {
  const stdin = { contents, resolveDir: root };
  const { outputFiles } = await build({ ...common, ...options, stdin, write: false });
  return outputFiles![0]!.contents;
}

/** All of the library but `testing` in one minified file: what a browser would be sent. */
export function everything(): Promise<Uint8Array> {
  const names = doors.map((door) => `export * as ${door} from "./src/${door}/index.ts";`);
  const contents = ['export * from "./src/index.ts";', ...names].join("\n");
  return oneFile(contents, { platform: "browser", minifyIdentifiers: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();

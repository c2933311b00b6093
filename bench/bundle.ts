// The second half of `npm run build`, after the declarations: a file of JavaScript per door and what they share, so that an import opens a
// handful of files. Names stay, so that traces can be read.
import { build } from "esbuild";

/** Writes the doors into a folder. `everything`: all names through one file, as a bundler would ship them to a browser. */
export async function bundle(outdir: string, minify: boolean): Promise<void> {
  await build({
    entryPoints: ["src/index.ts", "src/*/index.ts"],
    outdir,
    outbase: "src",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["fast-check"],
    chunkNames: "shared/[hash]",
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: minify,
    logLevel: "warning",
  });
}

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { oneFile, withPackages } from "../../src/build.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };

/** The version is read from package.json, which a bundle in another folder does not find. */
const fixedVersion = {
  name: "fixed version",
  setup: (build: import("esbuild").PluginBuild): void => {
    build.onLoad({ filter: /cli\/version\.ts$/ }, () => ({
      contents: `export const version = () => ${JSON.stringify(version)}; export const runtime = () => "node";`,
    }));
  },
};

/** The command line as a script of JavaScript, so that a process starts quickly. */
export const COMMAND_LINE = 'import { runProcess } from "./src/cli/main.ts"; await runProcess();';

/** Writes a script that imports from the repository as one file of JavaScript. Returns its path. */
export async function programFile(folder: string, contents: string = COMMAND_LINE): Promise<string> {
  const path = join(folder, "program.mjs");
  writeFileSync(path, await oneFile(contents, { ...withPackages, external: ["sharp", "canvas"], plugins: [fixedVersion] }));
  return path;
}

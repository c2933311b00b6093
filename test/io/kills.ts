import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { oneFile } from "../../src/build.ts";
import { decodeSafetensors, saveWeights } from "../../src/io/index.ts";
import { DenseVariables } from "../../src/variables/index.ts";

/** A program of plain JavaScript in a folder of its own, so that a child needs no loader. */
export async function programIn(folder: string, contents: string): Promise<string> {
  const path = join(folder, `program-${Math.random().toString(36).slice(2)}.mjs`);
  const source = contents.replaceAll('"hashgrad', '"./src').replace(/"(\.\/src[^"]*)"/g, '"$1/index.ts"');
  writeFileSync(path, await oneFile(source, {}));
  return path;
}

/** Saves again and again: every number of file n is n. */
const saver = `
import { assign, DenseVariables } from "hashgrad";
import { saveWeights } from "hashgrad/io";
const vars = new DenseVariables();
const kernel = vars.create("kernel", [300, 300]);
console.log("ready");
for (let n = 1; ; n++) {
  kernel.assign(new Float32Array(90_000).fill(n));
  saveWeights(process.argv[2], vars);
}`;

const line = (child: ChildProcess): Promise<unknown> => new Promise((done) => child.stdout!.once("data", done));

/**
 * Kills a process that saves, `count` times at random moments. @throws Error if a file is not complete or a temporary
 * file stays.
 */
export async function kills(count: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-kills-"));
  try {
    const models = mkdtempSync(join(folder, "models-"));
    const path = join(models, "model.safetensors");
    const program = await programIn(folder, saver);
    for (let i = 0; i < count; i++) {
      const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
      await line(child);
      await new Promise((done) => setTimeout(done, 20 + 60 * Math.random()));
      await new Promise((done) => {
        child.once("close", done);
        child.kill("SIGKILL");
      });
      if (!readdirSync(models).includes("model.safetensors")) continue;
      const numbers = new Set(decodeSafetensors(readFileSync(path)).tensors.get("kernel")!.toArray());
      if (numbers.size !== 1) throw new Error(`kill ${i} left a mixed file`);
    }
    saveWeights(path, new DenseVariables());
    const beside = readdirSync(models).filter((name) => name !== "model.safetensors");
    if (process.platform === "linux" && beside.length > 0)
      throw new Error(`${beside.length} temporary files stayed: ${beside[0]}`);
    return count;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

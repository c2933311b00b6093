import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadRun } from "../../src/cli/run/load.ts";
import { Generator } from "../../src/tensor/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { programFile } from "./program-file.ts";
import { command } from "./run-command.ts";
import { writeMnist } from "./tiny-mnist.ts";

const root = temporaryFolder();

/** Prints a line as soon as it runs. */
const contents = `import { main } from "./src/cli/main.ts";
console.log("ready");
const signal = new AbortController().signal;
process.exitCode = await main(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, signal });`;

test.skipIf(process.platform === "win32")(
  "a run that is killed at 30 random moments ends with the bytes of an uninterrupted run",
  async () => {
    const data = writeMnist(join(root, "data"));
    const path = await programFile(root, contents);
    const options = ["--data", data, "--epochs", "20", "--batch-size", "10", "--validation", "0.2", "--model", "mlp", "--json"];
    const [parts, whole] = [join(root, "parts"), join(root, "whole")];
    const random = new Generator(Date.now());
    let errors = "";
    for (let kills = 0; kills < 30; kills++) {
      const argv = existsSync(parts) ? ["resume", parts, "--json"] : ["train", ...options, "--out", parts];
      const child = spawn(process.execPath, [path, ...argv], { env: { ...process.env, HASHGRAD_THREADS: "1" } });
      child.stderr.on("data", (text) => {
        errors += text;
      });
      const closed = once(child, "close");
      await Promise.race([once(child.stdout, "data"), closed]); // a program that fails to start prints nothing
      await new Promise((done) => setTimeout(done, 120 * random.uniform()));
      child.kill("SIGKILL");
      await closed;
    }
    expect(errors).toBe("");
    const last = existsSync(parts) ? ["resume", parts, "--json"] : ["train", ...options, "--out", parts];
    expect(await command(last)).toMatchObject({ code: 0, err: "" });
    expect((await command(["train", ...options, "--out", whole])).code).toBe(0);
    for (const name of ["best.safetensors", "checkpoint.safetensors"])
      expect(readFileSync(join(parts, name)).equals(readFileSync(join(whole, name)))).toBe(true);
    const epochs = (run: string): object[] => loadRun(run).epochs.map(({ seconds, ...line }) => line);
    expect(epochs(parts)).toEqual(epochs(whole));
  },
);

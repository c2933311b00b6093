// Runs the command `hashgrad` of the installed package on a runtime, for test/runtimes.ts. The command trains on images
// and on a table, is interrupted and resumes, trains a sweep, predicts, and writes a report.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Generator } from "../src/tensor/index.ts";
import { root, runChild } from "./packed.ts";

/** What starts the command, without its own arguments. */
export type Command = { readonly program: string; readonly args: readonly string[] };

/** What the command did. */
export type CommandReport = {
  readonly fused: boolean;
  /** Digests and names of files, by what they are of: equal for runtimes with the same `fused`. */
  readonly pieces: Readonly<Record<string, string>>;
};

const EPOCHS = 60;
const LIMIT = 60_000;

/**
 * Writes a table of flowers and, if the package sharp loads, a folder of images. Links sharp into the project.
 * @returns whether there are images
 */
export async function writeCommandData(folder: string): Promise<boolean> {
  const random = new Generator(1);
  const rows = Array.from({ length: 120 }, (_, i) => {
    const size = i % 2 === 0 ? 4 : 6;
    return `${size + random.normal() / 3},${size / 4 + random.normal() / 9},${i % 2 === 0 ? "rose" : "lily"}`;
  });
  writeFileSync(join(folder, "flowers.csv"), ["length,width,kind", ...rows, ""].join("\n"));
  try {
    const { default: sharp } = await import("sharp");
    for (const [name, level] of [
      ["bright", 200],
      ["dark", 20],
    ] as const) {
      mkdirSync(join(folder, "photos", name), { recursive: true });
      for (let i = 0; i < 8; i++) {
        const pixels = Uint8Array.from({ length: 16 * 16 * 3 }, () => level + random.below(40));
        await sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } }).toFile(join(folder, "photos", name, `${i}.png`));
      }
    }
    symlinkSync(join(root, "node_modules/sharp"), join(folder, "node_modules/sharp"), "junction");
    return true;
  } catch (error) {
    console.log(`images: skipped, the package sharp does not load: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

export const digestOf = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 16);
};

/** A line of metrics.jsonl. Engines differ in the last bit of `Math.cos`, and so of the learning rate. */
function withoutTime(line: string): string {
  const { seconds, learningRate, ...scores } = JSON.parse(line) as { seconds: number; learningRate: number };
  return JSON.stringify([scores, learningRate.toPrecision(14)]);
}

/**
 * Calls the command in the folder `name` of `folder`, which holds the data.
 * @throws Error with the output of a command that fails.
 */
export async function runCommand(
  { program, args }: Command,
  folder: string,
  name: string,
  hasImages: boolean,
): Promise<CommandReport> {
  const cwd = join(folder, name);
  mkdirSync(cwd);
  const env = { HASHGRAD_THREADS: "2" };
  const run = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runChild(program, [...args, ...argv], { cwd, env, timeout: LIMIT });
    if (code === 0 && stderr === "") return stdout;
    throw new Error(`hashgrad ${argv.join(" ")} ended with ${code}: ${stderr.trim().slice(-300)}`);
  };
  const pieces: Record<string, string> = {};
  const read = (...path: string[]): Buffer => readFileSync(join(cwd, ...path));
  const weights = (out: string): string => digestOf(read(out, "best.safetensors"), read(out, "checkpoint.safetensors"));

  const table = ["--data", "../flowers.csv", "--target", "kind", "--validation", "0.2", "--epochs", String(EPOCHS)];
  const train = ["train", ...table, "--fraction", "0.2"];
  await Promise.all([
    run(...train, "--quiet", "--out", "whole"),
    interrupted(program, [...args, ...train, "--json", "--out", "parts"], cwd),
    ...(hasImages
      ? [run("train", "--data", "../photos", "--epochs", "2", "--batch-size", "4", "--quiet", "--out", "images")]
      : []),
  ]);
  const [flowers, photos] = await Promise.all([
    run("predict", "whole", "../flowers.csv"),
    hasImages ? run("predict", "images", "../photos") : null,
    run("resume", "parts", "--quiet"),
    run("sweep", ...table, "--fractions", "0.2", "--seeds", "1", "--quiet", "--out", "sweep"),
  ]);
  await run("report", "whole", "parts", "--out", "report.html");

  pieces.weights = weights("whole");
  pieces.metrics = digestOf(...read("whole", "metrics.jsonl").toString().trim().split("\n").map(withoutTime));
  pieces.evaluation = digestOf(read("whole", "evaluation.json"));
  pieces.files = readdirSync(join(cwd, "whole")).sort().join(" ");
  pieces.predictions = digestOf(flowers);
  for (const other of ["parts", "sweep/product-0.2-seed-1"])
    if (weights(other) !== pieces.weights) throw new Error(`${other} ends with other weights than the whole run`);
  if (!read("report.html").toString().startsWith("<!doctype html>")) throw new Error("report.html is no HTML page");

  if (photos !== null) Object.assign(pieces, { images: weights("images"), "predictions of images": digestOf(photos) });
  const { backend } = JSON.parse(read("whole", "config.json").toString()) as { backend: { fused: boolean } };
  return { fused: backend.fused, pieces };
}

/** Runs a training command until its first epoch, then ends it by Ctrl-C. @throws Error if the exit code is not 130. */
async function interrupted(program: string, argv: readonly string[], cwd: string): Promise<void> {
  const child = spawn(program, argv, { cwd, env: { ...process.env, HASHGRAD_THREADS: "2" } });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const closed = once(child, "close");
  const isWindows = process.platform === "win32"; // no signals there
  child.stdout.once("data", () => isWindows || child.kill("SIGINT"));
  child.stdout.resume();
  const [code] = await closed;
  clearTimeout(timer);
  if (code !== (isWindows ? 0 : 130) || errors !== "")
    throw new Error(`Ctrl-C ended train with ${code}, need 130: ${errors.slice(-300)}`);
  if (!existsSync(join(cwd, "parts/checkpoint.safetensors"))) throw new Error("Ctrl-C saved no checkpoint");
}

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { writeMnist } from "./tiny-mnist.ts";

const folder = writeMnist(temporaryFolder());

const root = fileURLToPath(new URL("../..", import.meta.url));

let runs = 0;
/** The script as a user runs it, training for longer than the test will wait. */
function start(): ChildProcessWithoutNullStreams {
  const script = [
    "--import",
    "tsx",
    "docs/examples/toy-mnist.ts",
    "--data",
    folder,
    "--epochs",
    "100000",
    "--batch-size",
    "8",
    "--out",
    join(folder, `run-${++runs}`),
  ];

  return spawn(process.execPath, script, { cwd: root });
}
const textOf = (stream: NodeJS.ReadableStream): { text: string } => {
  const all = { text: "" };
  stream.on("data", (chunk: Buffer) => {
    all.text += chunk;
  });
  return all;
};
const windows = process.platform === "win32"; // no signals there

test.skipIf(windows)("the script saves and exits with 130 if it is interrupted during training", async () => {
  const child = start();
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  let sent = false; // a second one would end it at once
  child.stdout.on("data", () => {
    if (!sent && out.text.includes("epoch 1/100000")) sent = child.kill("SIGINT");
  });
  const [code, signal] = await once(child, "close");
  expect([code, signal, err.text]).toEqual([130, null, ""]);
  expect(out.text).toMatch(/\nstopped in epoch \d+ of 100000 after batch \d+ of 5; saved: `hashgrad resume .*` continues\n$/);
});

test.skipIf(windows)("the script exits with 0 and prints nothing to stderr if its reader closes stdout", async () => {
  const child = start();
  const err = textOf(child.stderr);
  child.stdout.once("data", () => child.stdout.destroy());
  const [code] = await once(child, "exit");
  expect([code, err.text]).toEqual([0, ""]);
});

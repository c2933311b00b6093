// tfjs-wasm switches its threads off in Node, whose workers take no blob: addresses. Given the paths of files instead,
// they run.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { join } from "node:path";

/** In the worker an address is the path that it was sent. */
const PATHS_ARE_ADDRESSES = "URL.createObjectURL = String; URL.revokeObjectURL = () => {};\n";

/** Runs `start`, with the backend's main script taken from its file, and the worker's script written to one. */
export async function withScriptFiles(start: () => Promise<void>): Promise<void> {
  const main = createRequire(import.meta.url).resolve(
    "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js",
  );
  const folder = mkdtempSync(join(os.tmpdir(), "tfjs-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [blob, address, cpus] = [globalThis.Blob, URL.createObjectURL, os.cpus];
  function ScriptFile([text = ""]: readonly string[]): object {
    if (text.startsWith("var WasmBackendModule")) return Object(main) as object;
    const worker = join(folder, "worker.js");
    writeFileSync(worker, PATHS_ARE_ADDRESSES + text);
    return Object(worker) as object; // a String: `new` must return an object, and one that can be sent to a worker
  }
  Object.assign(globalThis, { Blob: ScriptFile });
  URL.createObjectURL = String;
  os.cpus = () => [...cpus(), ...cpus()]; // at most half of the cores get a thread, whatever is asked for
  try {
    await start();
  } finally {
    globalThis.Blob = blob;
    URL.createObjectURL = address;
    os.cpus = cpus;
  }
}

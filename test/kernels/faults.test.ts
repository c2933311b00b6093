import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { BackendError, type Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { firstDifference, wholeNumbers } from "./exact.ts";

// What assembly/threads.ts calls the faults.
const TRAP_IN_WORKER = 1;
const STOP_IN_WORKER = 2;
const TRAP_IN_CALLER = 3;
const END_STOPPED_WORKERS = -1;

const n = 1 << 20;
const x = wholeNumbers(1)(n);
const want = new Float32Array(n);
reference.relu(x, want);

/** The kernels with two threads, their worker started; how often `onLost` was called. */
function started() {
  let lost = 0;
  const wasm = wasmBackend({ onLost: () => void lost++ });
  wasm.setThreads(2);
  const [input, output] = [wasm.slabs.take(n), wasm.slabs.take(n)];
  input.set(x);
  const relu = (): Numbers => {
    wasm.kernels.relu!(input, output.fill(Number.NaN));
    return output;
  };
  expect(firstDifference(relu(), want)).toBe(-1);
  return { wasm, relu, lostCount: () => lost };
}

/** The error that `run` throws, and after how many milliseconds. */
function failure(run: () => unknown): { error: unknown; ms: number } {
  const began = performance.now();
  try {
    run();
  } catch (error) {
    return { error, ms: performance.now() - began };
  }
  throw new Error("nothing was thrown");
}

describe("a fault inside a job ends in an error within two seconds", () => {
  test("if a worker traps, the caller throws the message of the worker, and the next job is correct", () => {
    const { wasm, relu, lostCount } = started();
    for (let again = 0; again < 3; again++) {
      wasm.injectFault(TRAP_IN_WORKER);
      const { error, ms } = failure(relu);
      expect(error).toBeInstanceOf(BackendError);
      expect(String(error)).toMatch(
        /^BackendError: backend: a worker thread failed inside a kernel, so the result is incomplete: RuntimeError: unreachable/,
      );
      expect(ms).toBeLessThan(2000);
      expect(firstDifference(relu(), want)).toBe(-1);
    }
    expect(lostCount()).toBe(0);
  });

  test("if the caller traps, it waits for the parts of workers and throws, and the next job is correct", () => {
    const { wasm, relu } = started();
    for (let again = 0; again < 3; again++) {
      wasm.injectFault(TRAP_IN_CALLER);
      const { error, ms } = failure(relu);
      expect(String(error)).toBe("BackendError: backend: a kernel failed, so the result is incomplete: unreachable");
      expect(ms).toBeLessThan(2000);
      expect(firstDifference(relu(), want)).toBe(-1);
    }
  });

  test("if a worker stops while it holds a part, the caller throws", () => {
    const { wasm, relu, lostCount } = started();
    wasm.injectFault(STOP_IN_WORKER);
    const { error, ms } = failure(relu);
    wasm.injectFault(END_STOPPED_WORKERS);
    expect(error).toBeInstanceOf(BackendError);
    expect(String(error)).toMatch(/a worker thread that computes a part of a kernel no longer answers/);
    expect(ms).toBeLessThan(2000);
    expect(lostCount()).toBe(1);
  });
});

/** Runs a program in a process of its own, for at most a minute: what it prints, or why it ended. */
function child(args: readonly string[], env: Record<string, string> = {}): string {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const options = { cwd, env: { ...process.env, ...env }, encoding: "utf8", timeout: 60_000 } as const;
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, options);
  return status === 0 ? stdout.trim() : `${stdout}${stderr.slice(-2000)} ended with ${status ?? signal}`;
}

// Without the trap handler an access is compared with a bound that each thread keeps, and that may be old after the
// memory grew.
test.each([["with the trap handler", []] as const, ["with explicit bounds", ["--wasm-enforce-bounds-checks"]] as const])(
  "every result is correct if memory grows while workers run, %s",
  (_, flags) => {
    expect(child([...flags, "--import", "tsx", fileURLToPath(new URL("grow.ts", import.meta.url))])).toBe("0 wrong, grown");
  },
);

test("workers terminated during jobs never block: results are correct, or one error is thrown and later results are correct", () => {
  const program = `
    const threads = process.getBuiltinModule("node:worker_threads");
    const workers = [];
    threads.Worker = class extends threads.Worker { constructor(...args) { super(...args); workers.push(this); } };
    const { backend, BackendError, full, matmul, configure } = await import("./src/index.ts");
    configure({ threads: 3 });
    const product = () => matmul(full([500, 500], 2), full([500, 500], 3)).data.every((v) => v === 3000);
    const said = [];
    for (let round = 0; round < 6; round++) {
      product();
      await new Promise((done) => setTimeout(done, 60)); // workers are up
      for (const worker of workers) worker.terminate(); // takes effect while the next products are computed
      for (let again = 0; again < 20; again++) {
        const began = performance.now();
        let what;
        try { what = product() ? "right" : "WRONG"; } catch (error) { what = error instanceof BackendError ? "error" : "RAW " + error; }
        if (performance.now() - began > 2000) what = "SLOW " + what;
        said.push(what);
      }
      configure({ threads: 3 });
    }
    const last = product() ? "right" : "WRONG";
    console.log([...new Set(said)].filter((what) => what !== "right" && what !== "error").join() || "fine", last);
  `;
  expect(child(["--import", "tsx", "--input-type=module", "-e", program])).toBe("fine right");
});

test("after a worker stops, the library continues in one thread with new memory, and kept tensors stay readable", () => {
  const program = `
    const { injectFault } = await import("./src/backends/index.ts");
    const { backend, BackendError, configure, full, relu, step } = await import("./src/index.ts");
    configure({ threads: 2 });
    const kept = step(() => full([1000], 7));
    const right = () => { let found; step(() => { found = relu(full([1 << 20], 3)).data.every((v) => v === 3); }); return found; };
    const before = right();
    injectFault(2);
    let error;
    try { step(() => relu(full([1 << 20], 3))); } catch (thrown) { error = thrown; }
    const { threads, reason } = backend();
    console.log(before, error instanceof BackendError, right(), kept.data[5], threads, reason.split("; ").at(-1));
    process.exit(0);
  `;
  expect(child(["--import", "tsx", "--input-type=module", "-e", program], { HASHGRAD_BACKEND: "", HASHGRAD_FMA: "off" })).toBe(
    "true true true 7 1 one thread, since a worker stopped inside a kernel",
  );
});

import { describe, expect, test } from "vitest";
import { BackendError, type Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { wasmBackend } from "../../src/kernels/wasm/backend.ts";
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
    wasm.kernels.relu(input, output.fill(Number.NaN));
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
  test("a worker traps: the caller throws what it said, and the next job is right", () => {
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

  test("the caller traps: it waits for the parts of workers, throws, and the next job is right", () => {
    const { wasm, relu } = started();
    for (let again = 0; again < 3; again++) {
      wasm.injectFault(TRAP_IN_CALLER);
      const { error, ms } = failure(relu);
      expect(String(error)).toBe("BackendError: backend: a kernel failed, so the result is incomplete: unreachable");
      expect(ms).toBeLessThan(2000);
      expect(firstDifference(relu(), want)).toBe(-1);
    }
  });

  test("a worker stops while it holds a part: the caller gives up", () => {
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

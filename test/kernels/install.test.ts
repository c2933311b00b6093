import { expect, test } from "vitest";
import { backend, blocked, install, kernels } from "../../src/backends/index.ts";
import { canFuse } from "../../src/backends/wasm/backend.ts";
import { alloc } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { relu } from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/index.ts";

const plain = process.env.HASHGRAD_BACKEND === "plain";

test("kernels installed before the first allocation override the kernels of the backend", () => {
  const mine = (): void => {};
  const undo = install({ relu: mine });
  alloc(1);
  expect(kernels.relu).toBe(mine);
  undo();
  expect(kernels.relu).not.toBe(mine);
});

test("the table holds every kernel of the reference, overridden by the kernels of the backend", () => {
  expect(Object.keys(kernels).sort()).toEqual(Object.keys(reference).sort());
  const wasm = {
    name: "wasm",
    fused: canFuse(),
    threads: 1,
    reason: expect.stringContaining("WebAssembly with SIMD and shared memory"),
  };
  expect(backend()).toEqual(plain ? { name: "plain", fused: false, threads: 1, reason: "HASHGRAD_BACKEND=plain" } : wasm);
  const slow = new Map(Object.entries(reference));
  const slower = Object.keys(blocked).filter((name) => Object.entries(kernels).some(([k, f]) => k === name && f === slow.get(k)));
  expect(slower).toEqual([]);
});

test("install replaces kernels for all ops and returns a function that restores the previous kernels", () => {
  const before = { ...kernels };
  const undo = install({ relu: (_, y) => void y.fill(42) });
  try {
    expect(relu(tensor([1, -1])).toNested()).toEqual([42, 42]);
    expect(kernels.tanh).toBe(before.tanh);
  } finally {
    undo();
  }
  expect(kernels).toEqual(before);
  expect(relu(tensor([1, -1])).toNested()).toEqual([1, 0]);
});

test("two installs are undone in reverse order", () => {
  const before = kernels.relu;
  const [first, second] = [() => {}, () => {}];
  const undoFirst = install({ relu: first });
  const undoSecond = install({ relu: second });
  expect(kernels.relu).toBe(second);
  undoSecond();
  expect(kernels.relu).toBe(first);
  undoFirst();
  expect(kernels.relu).toBe(before);
});

import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Kernels, Numbers } from "../../src/kernels/index.ts";

/** Numbers of known value before and behind each array: a cache line. */
const GUARD = 16;
const CANARY = 0x5ca1ab1e;

/**
 * WebAssembly kernels whose work memory and operands lie between canaries, which are checked after every call. Each
 * call has another number of threads, from 1 to 16. `inPlace`: operands lie in WebAssembly's memory; else the backend
 * copies them there.
 */
export function betweenCanaries(inPlace: boolean): { fast: Partial<Kernels>; place: (x: Numbers) => Numbers } {
  const { kernels, slabs, setThreads, checkCanaries } = wasmBackend({ canaries: true });
  const heap = slabs.take(1 << 22);
  const words = new Uint32Array(heap.buffer, heap.byteOffset, heap.length);
  let used = 0;
  let guards: number[] = [];

  const guard = (): void => {
    words.fill(CANARY, used, used + GUARD);
    guards.push(used);
    used += GUARD;
  };
  const place = (x: Numbers): Numbers => {
    if (!inPlace) return x;
    if (used + x.length + 2 * GUARD > heap.length) [used, guards] = [0, []];
    guard();
    const copy = heap.subarray(used, used + x.length);
    copy.set(x);
    used += x.length;
    guard();
    return copy;
  };
  const check = (name: string): void => {
    checkCanaries(name);
    for (const at of guards) {
      for (let i = 0; i < GUARD; i++)
        if (words[at + i] !== CANARY) throw new Error(`${name} wrote beyond an operand, at number ${at + i}`);
    }
    if (guards.length > 64) guards = guards.slice(-64); // those of arrays that tests may still use
  };

  let calls = 0;
  const entries = Object.entries(kernels) as [string, (...args: unknown[]) => unknown][];
  const watched = entries.map(([name, kernel]) => [
    name,
    (...args: unknown[]): unknown => {
      setThreads(1 + (calls++ % 16));
      const result = kernel(...args);
      check(name);
      return result;
    },
  ]);
  return { fast: Object.fromEntries(watched) as Partial<Kernels>, place };
}

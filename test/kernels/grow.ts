// Grows the memory of kernels again and again while worker threads take parts of every job. Prints how many results
// were wrong. threads.test.ts runs it in a process of its own, with and without V8's trap handler.
import { wasmBackend } from "../../src/backends/wasm/backend.ts";

const wasm = wasmBackend({ pages: 16 });
wasm.setThreads(4);
let wrong = 0;
let grown = 0;
for (let round = 0; round < 7; round++) {
  const n = 1 << (16 + round);
  const [x, y] = [wasm.slabs.take(n).fill(-1), wasm.slabs.take(n)];
  for (let again = 0; again < 8; again++) {
    wasm.kernels.exp!(x, y.fill(0));
    if (!y.every((v) => v === Math.fround(Math.exp(-1)))) wrong++;
  }
  grown += x.byteLength;
}
console.log(`${wrong} wrong, ${grown > 2 ** 24 ? "grown" : "not grown"}`);

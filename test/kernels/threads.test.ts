import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { backend, configure } from "../../src/backends/index.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { oneFile } from "../../src/build.ts";
import type { Convolution, Kernels, Numbers } from "../../src/kernels/index.ts";
import * as reference from "../../src/kernels/reference.ts";
import { firstDifference, fused, reals, wholeNumbers } from "./exact.ts";

type Draw = (length: number) => Numbers;
/** Kernels at sizes that are cut into several parts; each returns what it wrote. */
type Case = (t: Kernels, draw: Draw) => Numbers;

const into = (length: number, write: (out: Numbers) => void): Numbers => {
  const out = new Float32Array(length);
  write(out);
  return out;
};

/** A convolution "same" of 2 × 21 × 19 pixels. */
function convolution(channels: number, outChannels: number, kernel: number, stride: number, groups = 1): Convolution {
  const [batch, height, width] = [2, 21, 19];
  const across = { kernelHeight: kernel, kernelWidth: kernel, strideY: stride, strideX: stride, dilationY: 1, dilationX: 1 };
  const pad = Math.floor((kernel - 1) / 2);
  const out = { outHeight: Math.ceil(height / stride), outWidth: Math.ceil(width / stride), padTop: pad, padLeft: pad };
  return { batch, height, width, channels, ...across, ...out, outChannels, groups };
}

const pixels = (s: Convolution): number => s.batch * s.height * s.width * s.channels;
const outs = (s: Convolution): number => s.batch * s.outHeight * s.outWidth * s.outChannels;
const weights = (s: Convolution): number => (s.kernelHeight * s.kernelWidth * s.channels * s.outChannels) / s.groups;
const convolutions: Readonly<Record<string, Convolution>> = {
  "5×5, one channel": convolution(1, 33, 5, 1),
  "3×3": convolution(13, 24, 3, 1),
  "3×3 by tiles": convolution(16, 24, 3, 1),
  "3×3, stride 2": convolution(12, 40, 3, 2),
  "3×3 in groups": convolution(24, 32, 3, 1, 4),
  "3×3, a kernel too large for partial sums": convolution(257, 470, 3, 3),
};
const n = 200_003;
const depthwise = (channels: number) => ({ ...convolution(channels, channels, 3, 1), multiplier: 1, batch: 30 });
const pool = { ...convolution(40, 40, 2, 2), outHeight: 10, outWidth: 9 };

const cases: Readonly<Record<string, Case>> = {
  "gemm 131×127×133": (t, draw) => {
    const [a, b] = [draw(131 * 133), draw(133 * 127)];
    return into(131 * 127, (c) => t.gemm({ m: 131, n: 127, k: 133, a, b, c }));
  },
  "gemm, transposed, tall": (t, draw) => {
    const [a, b] = [draw(40 * 3001), draw(40 * 9)];
    return into(3001 * 9, (c) => t.gemm({ m: 3001, n: 9, k: 40, a, b, c, transA: true, transB: true }));
  },
  ...Object.fromEntries(
    Object.entries(convolutions).flatMap(([name, s]): [string, Case][] => [
      [
        `conv2d ${name}`,
        (t, draw) => {
          const [x, kernel] = [draw(pixels(s)), draw(weights(s))];
          return into(outs(s), (y) => t.conv2d(s, x, kernel, draw(s.outChannels), y));
        },
      ],
      [
        `conv2dInputGrad ${name}`,
        (t, draw) => {
          const [dy, kernel] = [draw(outs(s)), draw(weights(s))];
          return into(pixels(s), (dx) => t.conv2dInputGrad(s, dy, kernel, dx, false));
        },
      ],
      [
        `conv2dKernelGrad ${name}`,
        (t, draw) => {
          const [x, dy] = [draw(pixels(s)), draw(outs(s))];
          return into(weights(s), (dkernel) => t.conv2dKernelGrad(s, x, dy, dkernel, false));
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({ "10 channels": depthwise(10), "12 channels, loops of their own": depthwise(12) }).flatMap(
      ([name, s]): [string, Case][] => [
        [
          `depthwiseConv2d ${name}`,
          (t, draw) => {
            const [x, kernel] = [draw(pixels(s)), draw(9 * s.channels)];
            return into(pixels(s), (y) => t.depthwiseConv2d(s, x, kernel, draw(s.channels), 1, y));
          },
        ],
        [
          `depthwiseConv2dInputGrad ${name}`,
          (t, draw) => {
            const [dy, kernel] = [draw(pixels(s)), draw(9 * s.channels)];
            return into(pixels(s), (dx) => t.depthwiseConv2dInputGrad(s, dy, kernel, dx, false));
          },
        ],
        [
          `depthwiseConv2dKernelGrad ${name}`,
          (t, draw) => {
            const [x, dy] = [draw(pixels(s)), draw(pixels(s))];
            return into(9 * s.channels, (dkernel) => t.depthwiseConv2dKernelGrad(s, x, dy, dkernel, false));
          },
        ],
      ],
    ),
  ),
  maxPool: (t, draw) => into(10 * 90 * 40, (y) => t.maxPool({ ...pool, batch: 10 }, draw(pixels({ ...pool, batch: 10 })), y)),
  maxPoolGrad: (t, draw) => {
    const s = { ...pool, batch: 10 };
    const x = draw(pixels(s));
    const y = into(10 * 90 * 40, (out) => reference.maxPool(s, x, out));
    const dy = draw(y.length);
    return into(x.length, (dx) => t.maxPoolGrad(s, x, y, dy, dx, false));
  },
  "sum of columns": (t, draw) => into(13, (y) => t.sum({ outer: 1, n: 20_001, inner: 13 }, draw(20_001 * 13), y, 1, false)),
  "sum of rows": (t, draw) => into(1, (y) => t.sum({ outer: 1, n, inner: 1 }, draw(n), y, 1, false)),
};

const wasm = wasmBackend();
const fast: Kernels = { ...reference, ...wasm.kernels };
afterAll(() => wasm.setThreads(1));

describe("kernels split into parts", () => {
  test.each(Object.entries(cases))("%s equals the reference bit for bit on whole numbers with three threads", (_, run) => {
    wasm.setThreads(3);
    expect(firstDifference(run(fast, wholeNumbers(5)), run({ ...reference }, wholeNumbers(5)))).toBe(-1);
  });

  test.each(Object.entries(cases))("%s gives the same bits for any number of threads", (_, run) => {
    wasm.setThreads(1);
    const alone = run(fast, reals(6));
    for (const threads of [2, 3, 5]) {
      wasm.setThreads(threads);
      for (let again = 0; again < 5; again++) expect(firstDifference(run(fast, reals(6)), alone)).toBe(-1);
    }
  });

  test("thousands of consecutive jobs with idle times between them are correct", async () => {
    wasm.setThreads(4);
    const [x, y] = [wasm.slabs.take(n), wasm.slabs.take(n)];
    x.set(reals(7)(n));
    const want = into(n, (out) => reference.relu(x, out));
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 100; i++) wasm.kernels.relu!(x, y.fill(Number.NaN, 0, 1));
      expect(firstDifference(y, want)).toBe(-1);
      await new Promise((done) => setTimeout(done, round));
    }
  });
});

test("results are correct if the number of threads changes between jobs", () => {
  const [m, n, k] = [131, 127, 133];
  const [a, b] = [wholeNumbers(8)(m * k), wholeNumbers(9)(k * n)];
  const want = into(m * n, (c) => reference.gemm({ m, n, k, a, b, c }));
  for (let round = 0; round < 500; round++) {
    wasm.setThreads(1 + ((round * 7) % 5));
    for (let again = 0; again < 3; again++) {
      expect(
        firstDifference(
          into(m * n, (c) => fast.gemm({ m, n, k, a, b, c })),
          want,
        ),
      ).toBe(-1);
    }
  }
});

describe("configure", () => {
  test("refuses an invalid number of threads", () => {
    for (const threads of [0, -1, 1.5, 17, Number.NaN]) {
      const message = `configure: threads, if not "auto", must be a whole number of at least 1 and at most 16, got ${threads}`;
      expect(() => configure({ threads })).toThrow(message);
    }
  });

  test("backend() reports the number of threads", () => {
    const most = backend().name === "wasm" ? 3 : 1;
    expect(configure({ threads: 3 }).threads).toBe(most);
    expect(backend().threads).toBe(most);
    expect(configure({ threads: "auto" }).threads).toBeGreaterThanOrEqual(1);
    expect(configure({ threads: 1 }).threads).toBe(1);
  });
});

const kernelsFile = JSON.stringify(new URL("../../src/backends/index.ts", import.meta.url).href);
/** What a process of its own prints. */
function printed(code: string, env: Record<string, string>): string {
  const script = `import { backend, kernels } from ${kernelsFile}; ${code}`;
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const options = { cwd, env: { ...process.env, ...env }, encoding: "utf8", timeout: 30_000 } as const;
  return execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], options).trim();
}

test("threads do not keep a process alive, and HASHGRAD_THREADS sets their number", () => {
  const work = `const x = new Float32Array(1e6).fill(-1); backend(); kernels.relu(x, x);`;
  expect(printed(`${work} console.log(backend().threads, x[5]);`, { HASHGRAD_THREADS: "3" })).toBe("3 0");
});

test.each([
  ["on", fused !== null], // Node.js 20 has it by a flag of V8, which "on" sets; some processors round twice
  ["off", false],
])("HASHGRAD_FMA=%s selects fused or separate multiply-add, and backend() reports the choice", (value, want) => {
  const code = `console.log(backend().fused, backend().reason.endsWith("; fused multiply-add"));`;
  expect(printed(code, { HASHGRAD_FMA: value, HASHGRAD_BACKEND: "" })).toBe(`${want} ${want}`);
});

test.each([
  ["HASHGRAD_THREADS", "0", 'HASHGRAD_THREADS must be auto or a whole number from 1 to 16, got "0"'],
  ["HASHGRAD_BACKEND", "gpu", 'HASHGRAD_BACKEND must be plain or wasm, got "gpu"'],
  ["HASHGRAD_FMA", "yes", 'HASHGRAD_FMA must be on or off, got "yes"'],
])("the library refuses %s=%s", (name, value, message) => {
  const code = "try { backend(); } catch (error) { console.log(error.message); }";
  expect(printed(code, { [name]: value })).toBe(message);
});

test("the library computes in one thread if Node's permissions forbid workers, and backend() reports one thread", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-permission-"));
  const file = join(folder, "run.mjs");
  const contents = `
    import { backend, full, matmul } from "hashgrad";
    const before = backend().threads;
    console.log(matmul(full([300, 300], 2), full([300, 300], 3)).data[5], before, backend().threads, backend().reason.split("; ").at(-1));
  `;
  writeFileSync(file, await oneFile(contents, { platform: "node" }));
  const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
  try {
    const env = { ...process.env, HASHGRAD_THREADS: "3", HASHGRAD_BACKEND: "", NODE_OPTIONS: "" };
    const args = ["--no-warnings", flag, "--allow-fs-read=*", file];
    const printed = execFileSync(process.execPath, args, { encoding: "utf8", env });
    expect(printed.trim()).toBe("1800 3 1 2 of its threads could not be started or have ended");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

const numbers = ["test/{ops,tensor,smh,nn}/**/*.test.ts", "test/goldens.test.ts", "test/train/curve.test.ts"];

/**
 * Every test runs on the backend that this machine gets, and tests of numbers also on the plain kernels. Fused multiply-add and several
 * threads need no project: test/kernels runs every kernel with both.
 */
const config: ViteUserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^hashgrad$/, replacement: source("index.ts") },
      { find: "hashgrad/plain", replacement: source("plain.ts") },
      { find: "hashgrad/testing/arbitraries", replacement: source("testing/arbitraries.ts") },
      { find: /^hashgrad\/(.*)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: "100%", // the default leaves one core unused: on two cores files would run one after the other
    env: { HASHGRAD_THREADS: "1" }, // vitest runs files side by side; threads.test.ts asks for more
    projects: [
      { extends: true, test: { name: "default", include: ["test/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "plain",
          include: numbers,
          exclude: ["test/ops/table.test.ts"], // compares a page, with either kernels
          env: { HASHGRAD_BACKEND: "plain", HASHGRAD_THREADS: "1" },
          isolate: false, // the default project runs the same files isolated
        },
      },
      {
        extends: true,
        test: {
          name: "canaries", // the kernels' memory between bytes of known value, by 1 to 16 threads
          include: ["test/kernels/{kernels,products,wasm,winograd}.test.ts"],
          env: { HASHGRAD_CANARIES: "1", HASHGRAD_THREADS: "1" },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/backends/wasm/assembly/**", "src/build.ts", "**/*.d.ts"],
      thresholds: { lines: 95 },
    },
  },
});

export default config;

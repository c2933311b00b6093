import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig as UserConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

const config: UserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^hashgrad$/, replacement: source("index.ts") },
      { find: /^hashgrad\/(.*)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    coverage: { provider: "v8", include: ["src/**"], thresholds: { lines: 95 } },
  },
});

export default config;

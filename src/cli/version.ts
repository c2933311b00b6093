import { readFileSync } from "node:fs";

/** The version of the package that holds this file, in src/cli or dist/cli. */
export function version(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/** The name of the runtime with its version, such as "v20.20.2". */
export function runtime(): string {
  const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string };
  if (bun !== undefined) return `bun ${bun}`;
  if (deno !== undefined) return `deno ${deno}`;
  return process.version;
}

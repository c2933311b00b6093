// The tarball that npm would publish, installed in an empty project, for the scripts that test the package from
// outside.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../", import.meta.url));
const isWindows = process.platform === "win32";

/** Runs npm in a folder and returns what it prints. Throws after five minutes. */
export const npm = (args: readonly string[], cwd: string): string =>
  execFileSync(isWindows ? "npm.cmd" : "npm", args, {
    cwd,
    encoding: "utf8",
    shell: isWindows,
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 300_000,
  });

/** An installed tarball. `files`: the tarball's paths. `remove` deletes the project. */
export type Packed = {
  readonly folder: string;
  readonly tarball: string;
  readonly files: readonly string[];
  readonly size: number;
  readonly unpackedSize: number;
  readonly remove: () => void;
};

/**
 * Builds and packs the library, then installs the tarball, without scripts and without a network, in an empty project
 * of ES modules.
 */
export function installPacked(): Packed {
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-package-"));
  const [{ filename, size, unpackedSize, files }] = JSON.parse(
    npm(["pack", "--json", "--silent", "--pack-destination", folder], root),
  ) as [{ filename: string; size: number; unpackedSize: number; files: { path: string }[] }];
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--offline", `./${filename}`], folder);
  return {
    folder,
    tarball: join(folder, filename),
    files: files.map(({ path }) => path),
    size,
    unpackedSize,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
  };
}

/** How a child ended. `code` is null if a signal ended it. */
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string; readonly seconds: number };

/** Runs a program to its end; kills it, and the processes it started, after `timeout` milliseconds. */
export function runChild(
  command: string,
  args: readonly string[],
  { cwd, env = {}, timeout }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly timeout: number },
): Promise<Ended> {
  const began = performance.now();
  const { promise, resolve } = withResolvers<Ended>();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: !isWindows,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
  const kill = (): void => {
    try {
      if (isWindows) child.kill("SIGKILL");
      else process.kill(-child.pid!, "SIGKILL"); // the whole group
    } catch {} // it has ended
  };
  const timer = setTimeout(() => {
    stderr += `\nkilled after ${timeout / 1000} seconds`;
    kill();
  }, timeout);
  const end = (code: number | null): void => {
    clearTimeout(timer);
    resolve({ code, stdout, stderr, seconds: (performance.now() - began) / 1000 });
  };
  child.on("error", (error) => {
    stderr += error.message;
    end(null);
  });
  child.on("close", end);
  return promise;
}

/** `Promise.withResolvers`, which Node 20 lacks. */
export function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// A Redis of its own for each test file: a process on a free port of the loopback interface, in a temporary folder.

const isInstalled = spawnSync("redis-server", ["--version"]).status === 0;

/**
 * Whether tests that need Redis are skipped. In CI `HASHGRAD_REDIS=required` makes a missing redis-server an error.
 * Prints a message if tests are skipped.
 */
export function isRedisMissing(): boolean {
  if (isInstalled) return false;
  if (process.env.HASHGRAD_REDIS === "required") throw new Error("HASHGRAD_REDIS=required, and redis-server is not installed");
  console.log("redis-server is not installed: the tests that need Redis are skipped");
  return true;
}

/** A running redis-server. */
export type RedisServer = {
  readonly port: number;
  /** The address without a password. */
  readonly url: string;
  readonly folder: string;
  /** Ends the process: "SIGKILL" as a crash, "SIGTERM" as an orderly shutdown. */
  readonly stop: (signal?: "SIGKILL" | "SIGTERM") => Promise<void>;
  /** Starts the process again on the same port, in the same folder. */
  readonly start: () => Promise<void>;
  /** Stops the process and removes its folder. */
  readonly remove: () => Promise<void>;
};

/** A port of the loopback interface that no program uses. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

/** Starts redis-server. `settings` are lines of its configuration, such as `["--appendonly", "yes"]`. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "hashgrad-redis-"));
  const port = await freePort();
  let server: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const common = ["--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
    const own = settings.includes("--port") ? [] : ["--port", String(port)];
    const child = spawn("redis-server", [...own, ...common, ...settings], { stdio: "ignore" });
    server = child;
    const end = performance.now() + 10_000;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
      if (await answers(port)) return;
      if (performance.now() > end) throw new Error(`redis-server does not answer at port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const stop = async (signal: "SIGKILL" | "SIGTERM" = "SIGTERM"): Promise<void> => {
    const child = server;
    server = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  };
  const remove = async (): Promise<void> => {
    await stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  await start();
  return { port, url: `redis://127.0.0.1:${port}`, folder, stop, start, remove };
}

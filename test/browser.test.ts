import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backends/index.ts";
import { oneFile } from "../src/build.ts";
import { type Browser, browsers } from "./browsers.ts";

// docs/examples/browser.ts, in pages and workers of real browsers. A browser that is not installed is skipped. The
// variables CHROMIUM and FIREFOX name their programs.

const installed = Object.values(browsers).some(({ path }) => path !== undefined);
const root = fileURLToPath(new URL("../", import.meta.url));
const example = join(root, "docs/examples/browser.ts");
const promised = [...readFileSync(example, "utf8").matchAll(/\/\/=> (.*)/g)].map(([, line]) => line);

/** What a page or a worker reports. */
type Report = {
  readonly failed?: string;
  readonly lines: readonly string[];
  readonly backend: Backend;
  readonly cores: number;
  /** How many helpers sleep after the work: those that were really started. */
  readonly sleepers: number;
  readonly weights: readonly number[];
};

/** Runs the example, and reports to the server. */
const program = `
const report = (body) => fetch("/report" + self.location.search, { method: "POST", body: JSON.stringify(body) });
try {
  const lines = [];
  console.log = (...values) => lines.push(values.join(" "));
  let memory;
  const { Memory } = WebAssembly;
  WebAssembly.Memory = function (options) { return (memory = new Memory(options)); };
  const { backend } = await import("hashgrad");
  const { weights } = await import(${JSON.stringify(example)});
  const cores = navigator.hardwareConcurrency;
  // The word SLEEPERS of the first generation, see assembly/threads.ts.
  const sleeping = () => new Int32Array(memory.buffer)[(4096 + 192) / 4];
  for (let i = 0; i < 100 && self.crossOriginIsolated && sleeping() < Math.min(16, cores) - 1; i++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  await report({ lines, backend: backend(), cores, sleepers: sleeping(), weights: [...weights] });
} catch (error) {
  await report({ failed: String(error.stack ?? error) });
}
`;

let bundled: string | Uint8Array = "";
let folder = "";
let server: Server | null = null;
let browser: ChildProcess | null = null;
/** Who waits for which report. */
const waiting = new Map<string, (report: Report) => void>();

beforeAll(async () => {
  if (!installed) return;
  bundled = await oneFile(program, { platform: "browser" });
  folder = mkdtempSync(join(tmpdir(), "hashgrad-browser-"));
  server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url!, "http://localhost");
    const [type, body] = (
      {
        "/page": ["text/html", `<!doctype html><script type="module" src="/program.js"></script>`],
        "/worker": [
          "text/html",
          `<!doctype html><script>new Worker("/program.js" + location.search, { type: "module" })</script>`,
        ],
        "/program.js": ["text/javascript", bundled],
      } as const
    )[pathname] ?? ["text/plain", ""];
    const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
    response.writeHead(200, { "content-type": type, ...(search.includes("isolated") ? isolation : {}) });
    response.end(body);
    if (pathname !== "/report") return;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => waiting.get(search)?.(JSON.parse(Buffer.concat(chunks).toString()) as Report));
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  browser?.kill("SIGKILL");
  server?.closeAllConnections();
  server?.close();
  if (folder !== "") rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

/** What the example reports from a page of this path and query. */
async function reportFrom({ path: program, args }: Browser, path: string, search: string): Promise<Report> {
  const { port } = server!.address() as AddressInfo;
  const profile = mkdtempSync(join(folder, "profile-"));
  const running = spawn(program!, [...args(profile), `http://127.0.0.1:${port}${path}${search}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  browser = running;
  let said = "";
  running.stderr.on("data", (chunk: Buffer) => (said += chunk));
  try {
    return await new Promise<Report>((resolve, reject) => {
      waiting.set(search, resolve);
      running.on("error", reject);
      running.on("exit", (code) => reject(new Error(`the browser ended with ${code} before it reported: ${said}`)));
    });
  } finally {
    running.kill("SIGKILL");
  }
}

const cases = Object.entries(browsers).map(([name, browser]) => ({ name, browser }));
describe.each(cases)("$name", ({ browser }) => {
  test.skipIf(browser.path === undefined)(
    "a page and a worker train in WebAssembly to the same bits, with threads if the page is isolated",
    async () => {
      const alone = await reportFrom(browser, "/page", "?alone");
      const isolated = await reportFrom(browser, "/page", "?isolated");
      const worker = await reportFrom(browser, "/worker", "?isolated&in=worker");
      for (const report of [alone, isolated, worker]) {
        expect(report.failed).toBeUndefined();
        expect(report.lines).toEqual(promised);
        expect(report.backend.name).toBe("wasm");
        expect(report.weights).toEqual(alone.weights);
      }
      const why = "; one thread, since others cannot be started: a page must be isolated from other origins";
      expect([alone, isolated, worker].map(({ backend }) => backend.reason.endsWith(why))).toEqual([true, false, false]);
      const cores = Math.min(16, alone.cores);
      expect([alone, isolated, worker].map(({ backend }) => backend.threads)).toEqual([1, cores, cores]);
      expect([alone, isolated, worker].map(({ sleepers }) => sleepers)).toEqual([0, cores - 1, cores - 1]);
    },
    120_000,
  );
});

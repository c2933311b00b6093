import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { browsers } from "../../browsers.ts";

// Chromium, driven by its debugging protocol over two pipes: https://chromedevtools.github.io/devtools-protocol

type Message = {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
};

export type Look = {
  readonly width: number;
  readonly height?: number;
  readonly scheme: "light" | "dark";
  readonly print?: boolean;
};

export type Page = {
  /** Opens a page, and returns when it is loaded. */
  readonly open: (url: string, look: Look) => Promise<void>;
  /** The value of an expression in the page. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  /** A picture of the whole page, or of its lines of pixels from `top` on, as PNG in base64. */
  readonly screenshot: (top?: number, height?: number) => Promise<string>;
  /** Addresses that the page requested, and errors of its console, since it was opened. */
  readonly events: () => { readonly requests: readonly string[]; readonly errors: readonly string[] };
  readonly close: () => Promise<void>;
};

/** Starts Chromium with one page. */
export async function chromium(): Promise<Page> {
  const { path, args } = browsers.Chromium;
  const profile = mkdtempSync(join(tmpdir(), "hashgrad-report-"));
  const running = spawn(path!, [...args(profile), "--remote-debugging-pipe", "--hide-scrollbars"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
  const [input, output] = [running.stdio[3] as Writable, running.stdio[4] as Readable];
  const answers = new Map<number, (message: Message) => void>();
  let listeners: ((message: Message) => void)[] = [];
  let rest = "";
  output.setEncoding("utf8");
  output.on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop()!;
    for (const message of messages.map((json) => JSON.parse(json) as Message)) {
      if (message.id !== undefined) answers.get(message.id)?.(message);
      for (const listener of listeners) listener(message);
    }
  });
  let next = 0;
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++next;
      answers.set(id, ({ error, result = {} }) => (error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result)));
      input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method: string, params: object = {}): Promise<Record<string, unknown>> => send(method, params, String(sessionId));
  for (const domain of ["Page", "Network", "Runtime", "Log"]) await page(`${domain}.enable`);

  let [requests, errors]: [string[], string[]] = [[], []];
  listeners.push(({ method, params = {} }) => {
    if (method === "Network.requestWillBeSent") requests.push((params.request as { url: string }).url);
    if (method === "Log.entryAdded") errors.push((params.entry as { text: string }).text);
    if (method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled") errors.push(JSON.stringify(params));
  });
  const event = (name: string): Promise<void> =>
    new Promise((resolve) => {
      const listener = ({ method }: Message): void => {
        if (method !== name) return;
        listeners = listeners.filter((other) => other !== listener);
        resolve();
      };
      listeners.push(listener);
    });
  return {
    open: async (url, { width, height = 800, scheme, print = false }) => {
      const features = [{ name: "prefers-color-scheme", value: scheme }];
      await page("Emulation.setEmulatedMedia", { media: print ? "print" : "screen", features });
      await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
      [requests, errors] = [[], []];
      const loaded = event("Page.loadEventFired");
      await page("Page.navigate", { url });
      await loaded;
    },
    evaluate: async (expression) => {
      const { result } = await page("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
      return (result as { value: unknown }).value;
    },
    screenshot: async (top = 0, height) => {
      const { cssContentSize } = await page("Page.getLayoutMetrics");
      const whole = cssContentSize as { readonly width: number; readonly height: number };
      const clip = { x: 0, y: top, width: whole.width, height: Math.min(height ?? whole.height, whole.height - top), scale: 1 };
      return String((await page("Page.captureScreenshot", { captureBeyondViewport: true, clip })).data);
    },
    events: () => ({ requests, errors }),
    close: async () => {
      const late = setTimeout(() => running.kill("SIGKILL"), 10_000);
      send("Browser.close").catch(() => undefined); // the answer may be lost when the pipe closes
      await ended;
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browsers } from "../../browsers.ts";
import { openDevTools } from "../../drive/devtools.ts";

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
  const profile = mkdtempSync(join(tmpdir(), "hashgrad-report-"));
  const { page, listen, close } = await openDevTools(browsers.Chromium.path!, profile, ["--hide-scrollbars"]);
  for (const domain of ["Page", "Network", "Runtime", "Log"]) await page(`${domain}.enable`);

  let [requests, errors]: [string[], string[]] = [[], []];
  listen(({ method, params }) => {
    if (method === "Network.requestWillBeSent") requests.push((params.request as { url: string }).url);
    if (method === "Log.entryAdded") errors.push((params.entry as { text: string }).text);
    if (method === "Runtime.exceptionThrown" || method === "Runtime.consoleAPICalled") errors.push(JSON.stringify(params));
  });
  const event = (name: string): Promise<void> =>
    new Promise((resolve) => {
      const end = listen(({ method }) => {
        if (method !== name) return;
        end();
        resolve();
      });
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
      const asked = { expression, returnByValue: true, awaitPromise: true };
      const { result } = await page<{ result: { value: unknown } }>("Runtime.evaluate", asked);
      return result.value;
    },
    screenshot: async (top = 0, height) => {
      const { cssContentSize: whole } = await page<{ cssContentSize: { width: number; height: number } }>(
        "Page.getLayoutMetrics",
      );
      const clip = { x: 0, y: top, width: whole.width, height: Math.min(height ?? whole.height, whole.height - top), scale: 1 };
      return (await page<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: true, clip })).data;
    },
    events: () => ({ requests, errors }),
    close: async () => {
      await close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

// The DevTools protocol over a pipe: JSON, each message ended by a zero byte.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { browsers } from "../browsers.ts";
import { ended } from "./ended.ts";
import type { Driven, Key, Settings } from "./index.ts";

type Message = { readonly id?: number; readonly result?: unknown; readonly error?: { readonly message: string } };
type Send = <T>(method: string, params?: object) => Promise<T>;

/** The virtual key codes of Windows, which the protocol uses. */
const CODES: Readonly<Record<Key, number>> = {
  Tab: 9,
  Enter: 13,
  " ": 32,
  End: 35,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
  Delete: 46,
};

/** Sends commands and awaits their results, in the order of the pipe. */
function connection(write: Writable, read: Readable): (method: string, params: object, sessionId?: string) => Promise<unknown> {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let rest = "";
  let last = 0;
  read.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\0");
    rest = parts.pop()!;
    for (const part of parts) {
      const { id, result, error } = JSON.parse(part) as Message;
      const waiter = waiting.get(id ?? -1);
      waiting.delete(id ?? -1);
      if (error !== undefined) waiter?.reject(new Error(error.message));
      else waiter?.resolve(result);
    }
  });
  read.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Chromium has ended"));
  });
  return (method, params, sessionId) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      write.write(`${JSON.stringify({ id: last, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    });
}

export async function openChromium({ program, folder, reducedMotion = false }: Settings): Promise<Driven> {
  const args = [...browsers.Chromium.args(join(folder, "profile")), "--remote-debugging-pipe", "about:blank"];
  const running = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true });
  const ask = connection(running.stdio[3] as Writable, running.stdio[4] as Readable);
  const { targetId } = (await ask("Target.createTarget", { url: "about:blank" })) as { targetId: string };
  const { sessionId } = (await ask("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
  const send: Send = async <T>(method: string, params: object = {}) => (await ask(method, params, sessionId)) as T;
  await ask("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  const features = [{ name: "prefers-reduced-motion", value: reducedMotion ? "reduce" : "" }];
  await send("Emulation.setEmulatedMedia", { features });
  const evaluate: Driven["evaluate"] = async (expression) => {
    const { result, exceptionDetails } = await send<{ result: { value: never }; exceptionDetails?: object }>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  };
  return {
    evaluate,
    goTo: async (url) => {
      await send("Page.navigate", { url });
    },
    press: async (key, times = 1) => {
      const code = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode: CODES[key] };
      const text = key === " " ? { text: " " } : key === "Enter" ? { text: "\r" } : {};
      for (let i = 0; i < times; i++) {
        await send("Input.dispatchKeyEvent", { type: "keyDown", ...code, ...text });
        await send("Input.dispatchKeyEvent", { type: "keyUp", ...code });
      }
    },
    drag: async (points) => {
      const mouse = (type: string, [x, y]: readonly [number, number]): Promise<unknown> =>
        send("Input.dispatchMouseEvent", { type, x, y, button: "left", buttons: 1, clickCount: 1 });
      await mouse("mousePressed", points[0]!);
      for (const point of points.slice(1)) await mouse("mouseMoved", point);
      await mouse("mouseReleased", points.at(-1)!);
    },
    resize: async (width, height) => {
      await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    },
    screenshot: async () => {
      const { data } = await send<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: true });
      return Buffer.from(data, "base64");
    },
    close: () => ended(running),
  };
}

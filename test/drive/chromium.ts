import { join } from "node:path";
import { openDevTools } from "./devtools.ts";
import type { Driven, Key, Settings } from "./index.ts";

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

export async function openChromium({ program, folder }: Settings): Promise<Driven> {
  const { browser, page: send, close } = await openDevTools(program, join(folder, "profile"));
  await browser("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
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
    touch: async (points) => {
      const finger = (type: string, touchPoints: readonly object[]): Promise<unknown> =>
        send("Input.dispatchTouchEvent", { type, touchPoints });
      await send("Emulation.setTouchEmulationEnabled", { enabled: true });
      for (const [i, [x, y]] of points.entries()) await finger(i === 0 ? "touchStart" : "touchMove", [{ x, y }]);
      await finger("touchEnd", []);
      await send("Emulation.setTouchEmulationEnabled", { enabled: false });
    },
    reduceMotion: async (isReduced) => {
      const features = [{ name: "prefers-reduced-motion", value: isReduced ? "reduce" : "" }];
      await send("Emulation.setEmulatedMedia", { features });
    },
    resize: async (width, height) => {
      await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    },
    screenshot: async () => {
      const { data } = await send<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: true });
      return Buffer.from(data, "base64");
    },
    close,
  };
}

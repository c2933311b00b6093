// Marionette: JSON over a socket, each message after its length in bytes and a colon.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { browsers } from "../browsers.ts";
import { ended } from "./ended.ts";
import { type Driven, type Key, type Point, type Settings, until } from "./index.ts";

/** The characters that WebDriver uses for keys. */
const CODES: Readonly<Record<Key, string>> = {
  Tab: "\uE004",
  Enter: "\uE007",
  " ": " ",
  End: "\uE010",
  Home: "\uE011",
  ArrowLeft: "\uE012",
  ArrowUp: "\uE013",
  ArrowRight: "\uE014",
  ArrowDown: "\uE015",
  Delete: "\uE017",
};

type Reply = readonly [kind: 1, id: number, error: { readonly message: string } | null, result: unknown];
type Send = <T>(name: string, params?: object) => Promise<T>;

/** Sends commands and awaits their results. */
function connection(socket: Socket): Send {
  const waiting = new Map<number, (reply: Reply) => void>();
  let rest: Buffer = Buffer.alloc(0);
  let last = 0;
  socket.on("data", (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const colon = rest.indexOf(":");
      const length = colon < 0 ? Number.NaN : Number(rest.toString("latin1", 0, colon));
      if (!(rest.length >= colon + 1 + length)) return;
      const message: unknown = JSON.parse(rest.toString("utf8", colon + 1, colon + 1 + length));
      rest = rest.subarray(colon + 1 + length);
      if (Array.isArray(message)) waiting.get((message as unknown as Reply)[1])?.(message as unknown as Reply); // else the greeting
    }
  });
  return <T>(name: string, params: object = {}) =>
    new Promise<T>((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ([, , error, result]) => (error === null ? resolve(result as T) : reject(new Error(error.message))));
      const text = JSON.stringify([0, id, name, params]);
      socket.write(`${Buffer.byteLength(text)}:${text}`);
    });
}

function preferences(folder: string): string {
  const all = {
    "marionette.port": 0, // any free port, which Firefox writes to the profile
    "browser.download.folderList": 2,
    "browser.download.dir": folder,
    "browser.download.alwaysOpenPanel": false,
    "browser.shell.checkDefaultBrowser": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "toolkit.telemetry.enabled": false,
    "app.update.auto": false,
  };
  return Object.entries(all)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join("");
}

export async function openFirefox({ program, folder }: Settings): Promise<Driven> {
  const profile = join(folder, "profile");
  mkdirSync(profile, { recursive: true });
  writeFileSync(join(profile, "user.js"), preferences(folder));
  const args = ["--marionette", ...browsers.Firefox.args(profile)];
  const running = spawn(program, args, { stdio: "ignore", detached: true });
  const port = join(profile, "MarionetteActivePort");
  await until("Firefox listens", async () => existsSync(port) && readFileSync(port, "utf8").trim() !== "");
  const socket = connect(Number(readFileSync(port, "utf8")), "127.0.0.1");
  const send = connection(socket);
  await send("WebDriver:NewSession");
  await send("WebDriver:SetTimeouts", { script: 120_000, pageLoad: 120_000 });
  const act = async (type: "key" | "pointer", actions: readonly object[]): Promise<void> => {
    await send("WebDriver:PerformActions", { actions: [{ type, id: type, actions }] });
  };
  const stroke = ([first, ...others]: readonly Point[]): object[] => {
    const move = ([x, y]: Point): object => ({ type: "pointerMove", x: Math.round(x), y: Math.round(y) });
    return [move(first!), { type: "pointerDown", button: 0 }, ...others.map(move), { type: "pointerUp", button: 0 }];
  };
  return {
    goTo: async (url) => {
      await send("WebDriver:Navigate", { url });
    },
    evaluate: async (expression) => {
      const script = `const done = arguments[arguments.length - 1];
        (async () => (${expression}))().then((value) => done({ value }), (error) => done({ failed: String(error) }));`;
      const { value } = await send<{ value: { value: never; failed?: string } }>("WebDriver:ExecuteAsyncScript", {
        script,
        args: [],
        sandbox: null,
      });
      if (value.failed !== undefined) throw new Error(`${expression}: ${value.failed}`);
      return value.value;
    },
    press: (key, times = 1) =>
      act(
        "key",
        Array.from({ length: times }).flatMap(() => [
          { type: "keyDown", value: CODES[key] },
          { type: "keyUp", value: CODES[key] },
        ]),
      ),
    drag: (points) => act("pointer", stroke(points)),
    touch: async (points) => {
      const finger = { type: "pointer", id: "finger", parameters: { pointerType: "touch" }, actions: stroke(points) };
      await send("WebDriver:PerformActions", { actions: [finger] });
    },
    reduceMotion: null,
    resize: async (width, height) => {
      await send("WebDriver:SetWindowRect", { width, height });
    },
    screenshot: async () => {
      const { value } = await send<{ value: string }>("WebDriver:TakeScreenshot", { full: true });
      return Buffer.from(value, "base64");
    },
    close: async () => {
      socket.destroy();
      await ended(running);
    },
  };
}
